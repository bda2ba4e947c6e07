import CoreMetrics
import Testing
import WhorlTelemetry

@Suite("Metrics registry")
struct MetricsTests {
    @Test("Counters, gauges and histograms are rendered in both formats")
    func rendering() {
        let registry = MetricsRegistry()
        registry.counters("shop_orders_total", "Orders \"made\".", labels: ["kind"]).child("a\"b\\c\nd")
            .increment(by: 3)
        registry.gauge("shop_open", "Open shops.").set(1.5)
        let histogram = registry.histogram("shop_wait_seconds", "Waiting.", bounds: [0.1, 1])
        for value in [0.05, 0.5, 5] { histogram.observe(value) }
        let text = registry.render(.prometheusText)
        #expect(text.contains("# TYPE shop_orders_total counter\nshop_orders_total{kind=\"a\\\"b\\\\cd\"} 3\n"))
        #expect(text.contains("shop_open 1.5\n"))
        #expect(
            text.contains(
                "shop_wait_seconds_bucket{le=\"0.1\"} 1\nshop_wait_seconds_bucket{le=\"1.0\"} 2\n"
                    + "shop_wait_seconds_bucket{le=\"+Inf\"} 3\nshop_wait_seconds_count 3\n"
            )
        )
        let open = registry.render(.openMetrics)
        #expect(open.contains("# TYPE shop_orders counter\n") && open.hasSuffix("# EOF\n"))
        #expect(open.contains("Orders \\\"made\\\"."))
    }

    @Test("Label sets are limited; those above the limit are counted in one child")
    func bounds() {
        let registry = MetricsRegistry()
        let family = registry.counters("shop_visits_total", "Visits.", labels: ["who"], limit: 3)
        for number in 0..<100_000 { family.child("v\(number)").increment() }
        let text = registry.render(.prometheusText)
        #expect(text.contains("shop_visits_total{who=\"__other__\"} 99997\n"))
        #expect(text.contains("whorl_metrics_dropped_labelsets_total{family=\"shop_visits\"} 99997\n"))
        #expect(text.split(separator: "\n").filter { $0.hasPrefix("shop_visits_total{") }.count == 4)
    }

    @Test("Label values are truncated and contain no control characters")
    func labelValues() {
        let registry = MetricsRegistry()
        registry.counters("a_total", "A.", labels: ["x"]).child(String(repeating: "é", count: 1_000_000) + "\u{0}")
            .increment()
        #expect(registry.render(.prometheusText).contains("a_total{x=\"\(String(repeating: "é", count: 32))\"} 1\n"))
    }

    @Test("A counter never decreases, and no concurrent increment is lost")
    func counting() async {
        let counter = Counter()
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<8 { group.addTask { for _ in 0..<10_000 { counter.increment() } } }
        }
        counter.increment(by: -5)
        #expect(counter.value == 80_000)
    }

    @Test(
        "The Accept header selects the format",
        arguments: [
            (nil, false), ("*/*", false), ("text/plain", false), ("application/openmetrics-text; version=1.0.0", true),
            ("application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.9", false),
            ("application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1", true),
            ("application/openmetrics-text;q=0", false), ("application/json", false), ("nonsense;;q=x,", false),
        ]
    )
    func negotiation(accept: String?, isOpen: Bool) {
        #expect((ExpositionFormat(accept: accept).contentType.hasPrefix("application/openmetrics")) == isOpen)
    }

    @Test("Metrics of libraries that use swift-metrics appear with valid Prometheus names")
    func libraries() {
        let registry = MetricsRegistry()
        let factory = TelemetryMetricsFactory(registry: registry)
        factory.makeCounter(label: "http.client-requests", dimensions: [("status.code", "200")]).increment(by: 2)
        factory.makeCounter(label: "http.client-requests", dimensions: [("status.code", "200")]).increment(by: 1)
        factory.makeTimer(label: "latency", dimensions: []).recordNanoseconds(1_500_000_000)
        // The same name with other label names conflicts with the first metric, and must not crash the program.
        factory.makeCounter(label: "http.client-requests", dimensions: []).increment(by: 1)
        let text = registry.render(.prometheusText)
        #expect(text.contains("http_client_requests_total{status_code=\"200\"} 3\n"))
        #expect(text.contains("latency_seconds_sum 1.5\n"))
        #expect(text.contains("whorl_metrics_conflicting_total 1\n"))
    }
}
