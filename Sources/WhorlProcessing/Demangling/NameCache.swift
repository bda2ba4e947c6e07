/// Names that were read, bounded in bytes: when it is full, all are forgotten.
struct NameCache: Sendable {
    private let maxBytes: Int
    private var bytes = 0
    private var known: [String: String?] = [:]

    init(maxBytes: Int) { self.maxBytes = maxBytes }

    /// What is known of a name: nil when nothing is, `.some(nil)` when it cannot be read.
    func result(for name: String) -> String?? { known[name] }

    mutating func add(_ name: String, _ readable: String?) {
        // The texts, and about what a dictionary takes for an entry.
        let size = name.utf8.count + (readable?.utf8.count ?? 0) + 80
        if bytes + size > maxBytes {
            known = [:]
            bytes = 0
        }
        if known.updateValue(readable, forKey: name) == nil { bytes += size }
    }
}
