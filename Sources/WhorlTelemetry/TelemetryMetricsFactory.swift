import CoreMetrics
import Synchronization

/// The swift-metrics backend that adds the metrics of libraries to a ``MetricsRegistry``.
///
/// Call `MetricsSystem.bootstrap(TelemetryMetricsFactory(registry: registry))` once per process. swift-metrics requests
/// a handle on each use, so handles are cached by name and dimensions. Names become Prometheus names (`.` and `-`
/// become `_`), and timers become histograms in seconds.
///
/// A name that is used again with other dimensions, or as another kind, cannot be shown beside the first. It is not
/// recorded, and `whorl_metrics_conflicting_total` counts it.
public final class TelemetryMetricsFactory: MetricsFactory, Sendable {
    private let registry: MetricsRegistry
    private let conflicts: WhorlTelemetry.Counter
    private let known = Mutex<[String: Shape]>([:])

    private struct Shape {
        let kind: MetricKind
        let labels: [String]
    }

    /// Creates a backend that registers the metrics of libraries in the registry.
    public init(registry: MetricsRegistry) {
        self.registry = registry
        conflicts = registry.counter(
            "whorl_metrics_conflicting_total",
            "Library metrics not recorded because their name has another kind or other labels."
        )
    }

    /// A counter for a library.
    public func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
        let counter = handle(label, suffix: "", .counter, dimensions) { name, labels, values in
            registry.counters(name, help(label), labels: labels).child(values)
        }
        return CounterAdapter(counter: counter ?? WhorlTelemetry.Counter())
    }

    /// A gauge for a library or, if it aggregates, a histogram.
    public func makeRecorder(label: String, dimensions: [(String, String)], aggregate: Bool) -> any RecorderHandler {
        if aggregate {
            let histogram = handle(label, suffix: "", .histogram, dimensions) { name, labels, values in
                registry.histograms(name, help(label), labels: labels, bounds: Self.sizeBounds).child(values)
            }
            return HistogramAdapter(histogram: histogram ?? Histogram(bounds: []))
        }
        let gauge = handle(label, suffix: "", .gauge, dimensions) { name, labels, values in
            registry.gauges(name, help(label), labels: labels).child(values)
        }
        return GaugeAdapter(gauge: gauge ?? WhorlTelemetry.Gauge())
    }

    /// A gauge that a library increments and decrements.
    public func makeMeter(label: String, dimensions: [(String, String)]) -> any MeterHandler {
        let gauge = handle(label, suffix: "", .gauge, dimensions) { name, labels, values in
            registry.gauges(name, help(label), labels: labels).child(values)
        }
        return GaugeAdapter(gauge: gauge ?? WhorlTelemetry.Gauge())
    }

    /// A histogram of seconds for a library.
    public func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
        let histogram = handle(label, suffix: "_seconds", .histogram, dimensions) { name, labels, values in
            registry.histograms(name, help(label), labels: labels).child(values)
        }
        return HistogramAdapter(histogram: histogram ?? Histogram(bounds: []))
    }

    /// Does nothing: children exist as long as the process, so that a counter never returns to zero.
    public func destroyCounter(_ handler: any CounterHandler) {}
    /// Does nothing: children exist as long as the process.
    public func destroyMeter(_ handler: any MeterHandler) {}
    /// Does nothing: children exist as long as the process.
    public func destroyRecorder(_ handler: any RecorderHandler) {}
    /// Does nothing: children exist as long as the process.
    public func destroyTimer(_ handler: any TimerHandler) {}

    /// Powers of ten, for recorders whose unit is unknown.
    private static let sizeBounds: [Double] = [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000]

    private func help(_ label: String) -> String { "Counted by a library as \(label)." }

    private func handle<Handle>(
        _ label: String,
        suffix: String,
        _ kind: MetricKind,
        _ dimensions: [(String, String)],
        _ make: (String, [String], [String]) -> Handle
    ) -> Handle? {
        var name = prometheusName(label)
        if !name.hasSuffix(suffix) { name += suffix }
        if kind == .counter { name = familyName(name) }
        let sorted = dimensions.map { (prometheusName($0.0), $0.1) }.sorted { $0.0 < $1.0 }
        let labels = sorted.map(\.0)
        let fits = known.withLock { known in
            if let shape = known[name] { return shape.kind == kind && shape.labels == labels }
            known[name] = Shape(kind: kind, labels: labels)
            return true
        }
        guard fits else {
            conflicts.increment()
            return nil
        }
        return make(kind == .counter ? name + counterSuffix : name, labels, sorted.map(\.1))
    }
}

/// A valid Prometheus name: letters, digits and `_`, not starting with a digit.
private func prometheusName(_ label: String) -> String {
    var name = String(
        label.unicodeScalars.map { scalar -> Character in
            scalar.isASCII && (scalar.properties.isAlphabetic || ("0"..."9").contains(scalar))
                ? Character(scalar) : "_"
        }
    )
    if name.first.map({ $0.isNumber }) ?? true { name = "_" + name }
    return name
}

private final class CounterAdapter: CounterHandler {
    let counter: WhorlTelemetry.Counter
    init(counter: WhorlTelemetry.Counter) { self.counter = counter }
    func increment(by amount: Int64) { counter.increment(by: Int(clamping: amount)) }
    // swift-metrics allows a counter to be reset, but Prometheus would interpret that as a restart of the process.
    func reset() {}
}

private final class GaugeAdapter: RecorderHandler, MeterHandler {
    let gauge: WhorlTelemetry.Gauge
    init(gauge: WhorlTelemetry.Gauge) { self.gauge = gauge }
    func record(_ value: Int64) { gauge.set(Double(value)) }
    func record(_ value: Double) { gauge.set(value) }
    func set(_ value: Int64) { gauge.set(Double(value)) }
    func set(_ value: Double) { gauge.set(value) }
    func increment(by amount: Double) { gauge.add(amount) }
    func decrement(by amount: Double) { gauge.add(-amount) }
}

private final class HistogramAdapter: RecorderHandler, TimerHandler {
    let histogram: Histogram
    init(histogram: Histogram) { self.histogram = histogram }
    func record(_ value: Int64) { histogram.observe(Double(value)) }
    func record(_ value: Double) { histogram.observe(value) }
    func recordNanoseconds(_ duration: Int64) { histogram.observe(Double(duration) / 1e9) }
}
