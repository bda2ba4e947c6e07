import WhorlClient

/// An error of the application.
public struct Refusal: Error {
    /// A refusal.
    public init() {}
}

/// Reports an error, and says whether it was taken.
public func report() -> Bool { Whorl.capture(Refusal()) != nil }
