import Synchronization

/// A number that rises and falls: queue length, connections, a timestamp.
public final class Gauge: Sendable {
    private let bits = Atomic<UInt64>(0)

    /// Creates a gauge at zero that belongs to no registry; registries create their own.
    public init() {}

    /// Replaces the value.
    public func set(_ value: Double) {
        bits.store(value.bitPattern, ordering: .relaxed)
    }

    /// Adds to the value; a negative amount lowers it.
    public func add(_ amount: Double) {
        var old = bits.load(ordering: .relaxed)
        while true {
            let new = (Double(bitPattern: old) + amount).bitPattern
            let (exchanged, original) = bits.weakCompareExchange(expected: old, desired: new, ordering: .relaxed)
            if exchanged { return }
            old = original
        }
    }

    /// The current value.
    public var value: Double { Double(bitPattern: bits.load(ordering: .relaxed)) }
}
