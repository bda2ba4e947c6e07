import API

/// A page that says what became of the report.
public func page(_ order: Int) -> String { report(order) ? "reported" : "not reported" }
