import Synchronization

/// Every metric of a process, in the order in which the metrics were described.
///
/// Metrics are described once, at start, and the handles are kept by the code that counts. Reading (``render(_:)``) takes
/// no lock that counting holds, except for the moment in which a family copies its list of children.
public final class MetricsRegistry: Sendable {
    /// How many children a family holds unless it says otherwise.
    public static let defaultLimit = 1_000

    private let families = Mutex<[any ExposedFamily]>([])
    private let refused: MetricFamily<Counter>

    /// Makes a registry that holds one family: the count of label sets refused by the bound of each family.
    public init() {
        refused = MetricFamily(
            name: "whorl_metrics_dropped_labelsets_total",
            help: "Lookups of a label set over the bound of its family, counted under __other__ instead.",
            labels: ["family"],
            limit: Self.defaultLimit,
            refused: Counter(),
            make: { Counter() }
        )
        families.withLock { $0.append(refused) }
    }

    /// Describes a counter without labels; its name ends in `_total`.
    public func counter(_ name: String, _ help: String) -> Counter {
        counters(name, help, labels: []).child()
    }

    /// Describes a counter with labels; its name ends in `_total`.
    public func counters(
        _ name: String,
        _ help: String,
        labels: [String],
        limit: Int = defaultLimit
    ) -> MetricFamily<Counter> {
        precondition(name.hasSuffix(counterSuffix), "the name of the counter \(name) does not end in _total")
        return add(name, help, labels, limit) { Counter() }
    }

    /// Describes a gauge without labels.
    public func gauge(_ name: String, _ help: String) -> Gauge {
        gauges(name, help, labels: []).child()
    }

    /// Describes a gauge with labels.
    public func gauges(
        _ name: String,
        _ help: String,
        labels: [String],
        limit: Int = defaultLimit
    ) -> MetricFamily<Gauge> {
        add(name, help, labels, limit) { Gauge() }
    }

    /// Describes a histogram without labels; the bounds are in the base unit that the name ends in.
    public func histogram(_ name: String, _ help: String, bounds: [Double] = Histogram.latencyBounds) -> Histogram {
        histograms(name, help, labels: [], bounds: bounds).child()
    }

    /// Describes a histogram with labels; the bounds are in the base unit that the name ends in.
    public func histograms(
        _ name: String,
        _ help: String,
        labels: [String],
        bounds: [Double] = Histogram.latencyBounds,
        limit: Int = defaultLimit
    ) -> MetricFamily<Histogram> {
        add(name, help, labels, limit) { Histogram(bounds: bounds) }
    }

    /// Describes values that are read when a scrape asks for them; reading must neither block nor fail.
    ///
    /// A value that is nil at that moment is left out.
    public func observed(
        _ name: String,
        _ help: String,
        kind: MetricKind = .gauge,
        labels: [String] = [],
        read: @escaping @Sendable () -> [(labels: [String], value: Double)]
    ) {
        precondition(
            (kind == .counter) == name.hasSuffix(counterSuffix),
            "counters, and only they, have a name that ends in _total: \(name)"
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
                    preconditionFailure("the metric \(name) is described twice, differently")
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
