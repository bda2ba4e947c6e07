import API

/// A page that shows whether the error was reported.
public func page(_ order: Int) -> String { report(order) ? "reported" : "not reported" }
