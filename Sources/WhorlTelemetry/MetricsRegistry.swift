import Synchronization

/// All metrics of a process, in the order in which they were registered.
///
/// Metrics are registered once, at start, and the code that counts keeps the handles. Reading (``render(_:)``) takes no
/// lock that counting holds, except while a family copies its list of children.
public final class MetricsRegistry: Sendable {
    /// The maximum number of children of a family, unless the family sets its own.
    public static let defaultLimit = 1_000

    private let families = Mutex<[any ExposedFamily]>([])
    private let refused: MetricFamily<Counter>

    /// Creates a registry with one family: the count of label sets that each family refused because of its limit.
    public init() {
        refused = MetricFamily(
            name: "whorl_metrics_dropped_labelsets_total",
            help: "Lookups of a label set beyond the limit of its family, counted under __other__ instead.",
            labels: ["family"],
            limit: Self.defaultLimit,
            refused: Counter(),
            make: { Counter() }
        )
        families.withLock { $0.append(refused) }
    }

    /// Registers a counter without labels; its name must end in `_total`.
    public func counter(_ name: String, _ help: String) -> Counter {
        counters(name, help, labels: []).child()
    }

    /// Registers a counter with labels; its name must end in `_total`.
    public func counters(
        _ name: String,
        _ help: String,
        labels: [String],
        limit: Int = defaultLimit
    ) -> MetricFamily<Counter> {
        precondition(name.hasSuffix(counterSuffix), "the name of the counter \(name) does not end in _total")
        return add(name, help, labels, limit) { Counter() }
    }

    /// Registers a gauge without labels.
    public func gauge(_ name: String, _ help: String) -> Gauge {
        gauges(name, help, labels: []).child()
    }

    /// Registers a gauge with labels.
    public func gauges(
        _ name: String,
        _ help: String,
        labels: [String],
        limit: Int = defaultLimit
    ) -> MetricFamily<Gauge> {
        add(name, help, labels, limit) { Gauge() }
    }

    /// Registers a histogram without labels; the bounds are in the base unit in which the name ends.
    public func histogram(_ name: String, _ help: String, bounds: [Double] = Histogram.latencyBounds) -> Histogram {
        histograms(name, help, labels: [], bounds: bounds).child()
    }

    /// Registers a histogram with labels; the bounds are in the base unit in which the name ends.
    public func histograms(
        _ name: String,
        _ help: String,
        labels: [String],
        bounds: [Double] = Histogram.latencyBounds,
        limit: Int = defaultLimit
    ) -> MetricFamily<Histogram> {
        add(name, help, labels, limit) { Histogram(bounds: bounds) }
    }

    /// Registers values that are read at each scrape; reading must neither block nor fail.
    ///
    /// A value that `read` does not return is omitted.
    public func observed(
        _ name: String,
        _ help: String,
        kind: MetricKind = .gauge,
        labels: [String] = [],
        read: @escaping @Sendable () -> [(labels: [String], value: Double)]
    ) {
        precondition(
            (kind == .counter) == name.hasSuffix(counterSuffix),
            "the name must end in _total for a counter, and only then: \(name)"
        )
        let family = ObservedFamily(name: name, help: help, kind: kind, labels: labels, read: read)
        families.withLock { $0.append(family) }
    }

    func snapshot() -> [ExposedSamples] {
        families.withLock { $0 }.map { $0.samples() }
    }

    private func add<Child: ExposedChild>(
        _ name: String,
        _ help: String,
        _ labels: [String],
        _ limit: Int,
        _ make: @escaping @Sendable () -> Child
    ) -> MetricFamily<Child> {
        families.withLock { families in
            if let known = families.first(where: { $0.name == name }) {
                guard let same = known as? MetricFamily<Child>, same.labels == labels else {
                    preconditionFailure("the metric \(name) is registered twice with different kinds or labels")
                }
                return same
            }
            let family = MetricFamily<Child>(
                name: name,
                help: help,
                labels: labels,
                limit: limit,
                // A family without labels has one child and refuses none.
                refused: labels.isEmpty ? Counter() : refused.child(familyName(name)),
                make: make
            )
            families.append(family)
            return family
        }
    }
}
