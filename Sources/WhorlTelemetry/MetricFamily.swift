import Synchronization

/// The kind of a metric, which determines its exposition and the operations allowed on it.
public enum MetricKind: String, Sendable {
    /// A number that only increases.
    case counter
    /// A number that rises and falls.
    case gauge
    /// Observations in buckets.
    case histogram
}

/// All children of one metric name, with the same help, kind and labels; each label set has its own child.
///
/// The number of children is limited. Label sets beyond the limit share one child whose labels are all `__other__`,
/// because labels may come from senders, and a sender must not be able to exhaust the memory of the monitoring.
public final class MetricFamily<Child: Sendable>: Sendable {
    /// The name under which it is exposed.
    public let name: String
    /// A description in one sentence.
    public let help: String
    /// The label names, in the order in which values are given.
    public let labels: [String]

    private let limit: Int
    private let make: @Sendable () -> Child
    private let refused: Counter
    private let children = Mutex<[[String]: Child]>([:])

    init(
        name: String,
        help: String,
        labels: [String],
        limit: Int,
        refused: Counter,
        make: @escaping @Sendable () -> Child
    ) {
        self.name = name
        self.help = help
        self.labels = labels
        self.limit = limit
        self.refused = refused
        self.make = make
    }

    /// The child with these label values, in the order of ``labels``; a new child starts at zero.
    public func child(_ values: String...) -> Child {
        child(values)
    }

    /// The child with these label values, in the order of ``labels``; a new child starts at zero.
    public func child(_ values: [String]) -> Child {
        precondition(values.count == labels.count, "\(name) has the labels \(labels)")
        let key = values.map(labelValue)
        return children.withLock { children in
            if let child = children[key] { return child }
            if children.count < limit {
                let child = make()
                children[key] = child
                return child
            }
            refused.increment()
            let other = labels.map { _ in otherLabel }
            if let child = children[other] { return child }
            let child = make()
            children[other] = child
            return child
        }
    }

    /// Whether a new label set would get a child of its own.
    public var hasRoom: Bool { children.withLock { $0.count < limit } }

    func snapshot() -> [(labels: [String], child: Child)] {
        children.withLock { children in
            children.map { (labels: $0.key, child: $0.value) }
        }
        .sorted { $0.labels.lexicographicallyPrecedes($1.labels) }
    }
}

/// The label value for everything beyond a limit.
public let otherLabel = "__other__"

/// A label value as it is exposed: no control characters, at most 64 bytes of UTF-8.
func labelValue(_ raw: String) -> String {
    if raw.utf8.count <= 64, raw.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F }) { return raw }
    var value = ""
    var bytes = 0
    for scalar in raw.unicodeScalars where scalar.value >= 0x20 && !(0x7F...0x9F).contains(scalar.value) {
        bytes += UTF8.width(scalar)
        if bytes > 64 { break }
        value.unicodeScalars.append(scalar)
    }
    return value
}
