import API

public func page() -> String { report() ? "reported" : "not reported" }
