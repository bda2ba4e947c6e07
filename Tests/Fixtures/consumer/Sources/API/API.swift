import WhorlClient

#if SHIFTED
/// Lines that only the second build contains, so that the line numbers below differ.
public func padding(_ depth: Int) -> Int {
    var sum = 0
    for number in 0..<depth {
        sum += number
    }
    return sum
}
#endif

/// An error of the application.
public struct Refusal: Error {
    /// The order that was refused.
    public let order: Int

    /// The refusal of an order.
    public init(order: Int = 17) { self.order = order }
}

/// Charges an order, which is always refused.
@inline(never)
public func charge(_ order: Int) throws -> Bool {
    guard order < 0 else { throw Refusal(order: order) }
    return true
}

/// Captures an error, and returns whether the client accepted it.
@inline(never)
public func report(_ order: Int) -> Bool {
    do {
        return try charge(order)
    } catch {
        return Whorl.capture(error) != nil
    }
}
