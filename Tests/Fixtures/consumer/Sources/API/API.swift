import WhorlClient

public struct Refusal: Error {
    public init() {}
}

public func report() -> Bool { Whorl.capture(Refusal()) != nil }
