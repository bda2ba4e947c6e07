import Synchronization

/// Observations counted in fixed buckets, with their sum: durations in seconds, sizes in bytes.
public final class Histogram: Sendable {
    /// Upper bounds in seconds that suit the latency of a request or a query.
    public static let latencyBounds: [Double] = [
        0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
    ]

    /// The upper bounds in ascending order; the last bucket, without a bound, is implied.
    public let bounds: [Double]
    private let buckets: [Counter]
    private let total = Gauge()

    /// Creates an empty histogram; the bounds must be in ascending order.
    public init(bounds: [Double]) {
        self.bounds = bounds
        buckets = (0...bounds.count).map { _ in Counter() }
    }

    /// Counts one observation; NaN is ignored, because it would make the sum NaN permanently.
    public func observe(_ value: Double) {
        guard !value.isNaN else { return }
        let index = bounds.firstIndex { value <= $0 } ?? bounds.count
        buckets[index].increment()
        total.add(value)
    }

    /// Counts a duration, in seconds.
    public func observe(_ duration: Duration) {
        observe(duration.seconds)
    }

    /// The observations per bucket, not cumulative; the unbounded bucket comes last.
    public var counts: [Int] { buckets.map(\.value) }

    /// The sum of all observations.
    public var sum: Double { total.value }
}

extension Duration {
    /// The duration as seconds with a fraction.
    public var seconds: Double {
        Double(components.seconds) + Double(components.attoseconds) * 1e-18
    }
}
