/// The text formats for Prometheus and compatible scrapers.
public enum ExpositionFormat: Sendable {
    /// Prometheus text format 0.0.4, which every scraper reads.
    case prometheusText
    /// OpenMetrics 1.0.
    case openMetrics

    /// The `Content-Type` that the format requires; Prometheus 3 rejects a target without it.
    public var contentType: String {
        switch self {
        case .prometheusText: "text/plain; version=0.0.4; charset=utf-8"
        case .openMetrics: "application/openmetrics-text; version=1.0.0; charset=utf-8"
        }
    }

    /// The format that an `Accept` header requests: the acceptable one with the highest quality, otherwise plain text.
    public init(accept header: String?) {
        var best: (format: ExpositionFormat, quality: Double) = (.prometheusText, 0)
        for range in (header ?? "").lowercased().split(separator: ",") {
            let parts = range.split(separator: ";").map { $0.filter { $0 != " " && $0 != "\t" } }
            guard let type = parts.first else { continue }
            let parameters = parts.dropFirst()
            let quality =
                parameters.first { $0.hasPrefix("q=") }.flatMap { Double($0.dropFirst(2)) } ?? 1
            let version = parameters.first { $0.hasPrefix("version=") }.map { String($0.dropFirst(8)) }
            let offered: ExpositionFormat? =
                switch (type, version) {
                case ("application/openmetrics-text", nil), ("application/openmetrics-text", "1.0.0"): .openMetrics
                case ("text/plain", nil), ("text/plain", "0.0.4"), ("text/*", _), ("*/*", _): .prometheusText
                default: nil
                }
            if let offered, quality > best.quality { best = (offered, quality) }
        }
        self = best.format
    }
}

/// A kind of value that a family can expose.
protocol ExposedChild: Sendable {
    static var kind: MetricKind { get }
    func write(to samples: inout SampleWriter)
}

extension Counter: ExposedChild {
    static var kind: MetricKind { .counter }
    func write(to samples: inout SampleWriter) { samples.add("", Double(value)) }
}

extension Gauge: ExposedChild {
    static var kind: MetricKind { .gauge }
    func write(to samples: inout SampleWriter) { samples.add("", value) }
}

extension Histogram: ExposedChild {
    static var kind: MetricKind { .histogram }
    func write(to samples: inout SampleWriter) {
        var cumulative = 0
        for (bound, count) in zip(bounds + [.infinity], counts) {
            cumulative += count
            samples.add("_bucket", Double(cumulative), ("le", canonical(bound)))
        }
        samples.add("_count", Double(cumulative))
        samples.add("_sum", sum)
    }
}

/// A family of any kind, as needed for the exposition.
protocol ExposedFamily: Sendable {
    var name: String { get }
    func samples() -> ExposedSamples
}

/// The lines of one family, each with suffix, labels and value; the encoder adds the rest of the text.
struct ExposedSamples {
    let name: String
    let help: String
    let kind: MetricKind
    let lines: [SampleWriter.Line]
}

/// Collects the lines of a family, one child after another.
struct SampleWriter {
    struct Line {
        let suffix: String
        let labels: [(name: String, value: String)]
        let value: Double
    }

    var lines: [Line] = []
    var labels: [(name: String, value: String)] = []

    mutating func add(_ suffix: String, _ value: Double, _ extra: (name: String, value: String)...) {
        lines.append(Line(suffix: suffix, labels: labels + extra, value: value))
    }
}

extension MetricFamily: ExposedFamily where Child: ExposedChild {
    func samples() -> ExposedSamples {
        var writer = SampleWriter()
        for (values, child) in snapshot() {
            writer.labels = zip(labels, values).map { (name: $0, value: $1) }
            child.write(to: &writer)
        }
        return ExposedSamples(name: name, help: help, kind: Child.kind, lines: writer.lines)
    }
}

/// A family whose values are read at each scrape.
struct ObservedFamily: ExposedFamily {
    let name: String
    let help: String
    let kind: MetricKind
    let labels: [String]
    let read: @Sendable () -> [(labels: [String], value: Double)]

    func samples() -> ExposedSamples {
        var writer = SampleWriter()
        for (values, value) in read() {
            writer.labels = zip(labels, values).map { (name: $0, value: labelValue($1)) }
            writer.add("", value)
        }
        return ExposedSamples(name: name, help: help, kind: kind, lines: writer.lines)
    }
}

extension MetricsRegistry {
    /// All metrics in one of the text formats; families without children are omitted.
    public func render(_ format: ExpositionFormat) -> String {
        var text = ""
        for family in snapshot() where !family.lines.isEmpty {
            // In OpenMetrics, `_total` is a suffix of the sample; in the older format, it is part of the family's name.
            let name = format == .openMetrics ? familyName(family.name) : family.name
            text += "# HELP \(name) \(escaped(family.help, quotes: format == .openMetrics))\n"
            text += "# TYPE \(name) \(family.kind.rawValue)\n"
            for line in family.lines {
                text += family.name + line.suffix
                if !line.labels.isEmpty {
                    text += "{"
                    text += line.labels.map { "\($0.name)=\"\(escaped($0.value, quotes: true))\"" }
                        .joined(separator: ",")
                    text += "}"
                }
                text += " \(number(line.value))\n"
            }
        }
        if format == .openMetrics { text += "# EOF\n" }
        return text
    }
}

/// The suffix of the name of every counter; no other name has it.
let counterSuffix = "_total"

/// The name of a family in OpenMetrics: without the suffix of counters.
func familyName(_ name: String) -> String {
    name.hasSuffix(counterSuffix) ? String(name.dropLast(counterSuffix.count)) : name
}

private func escaped(_ text: String, quotes: Bool) -> String {
    guard text.utf8.contains(where: { $0 == 0x5C || $0 == 0x0A || $0 == 0x22 }) else { return text }
    var result = ""
    for character in text.unicodeScalars {
        switch character {
        case "\\": result += "\\\\"
        case "\n": result += "\\n"
        case "\"" where quotes: result += "\\\""
        default: result.unicodeScalars.append(character)
        }
    }
    return result
}

private func number(_ value: Double) -> String {
    if let whole = Int(exactly: value) { return String(whole) }
    if value.isNaN { return "NaN" }
    if value.isInfinite { return value < 0 ? "-Inf" : "+Inf" }
    return "\(value)"
}

/// A bucket's bound as OpenMetrics requires it: always with a fraction, so that both formats name the same series.
private func canonical(_ bound: Double) -> String {
    bound.isInfinite ? "+Inf" : "\(bound)"
}
