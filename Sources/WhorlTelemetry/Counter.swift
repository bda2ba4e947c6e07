import Synchronization

/// A number that only grows: requests, events, errors.
///
/// Hold the handle; an increment is one atomic addition (about 20 ns) and takes no lock.
public final class Counter: Sendable {
    private let cell = Atomic<Int>(0)

    /// Makes a counter at zero that no registry knows; registries make their own.
    public init() {}

    /// Adds to the counter; a negative or zero amount changes nothing, since a counter never falls.
    public func increment(by amount: Int = 1) {
        guard amount > 0 else { return }
        cell.wrappingAdd(amount, ordering: .relaxed)
    }

    /// What has been counted so far.
    public var value: Int { cell.load(ordering: .relaxed) }
}
