import API

/// A page that says what became of the report.
public func page() -> String { report() ? "reported" : "not reported" }
