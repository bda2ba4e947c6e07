/// A cache of demangled names with a size limit in bytes; a full cache is emptied.
struct NameCache: Sendable {
    private let maxBytes: Int
    private var bytes = 0
    private var known: [String: String?] = [:]

    init(maxBytes: Int) { self.maxBytes = maxBytes }

    /// The cached result for a name: nil when there is none, `.some(nil)` when the name cannot be demangled.
    func result(for name: String) -> String?? { known[name] }

    mutating func add(_ name: String, _ readable: String?) {
        // The size of the texts plus the approximate overhead of a dictionary entry.
        let size = name.utf8.count + (readable?.utf8.count ?? 0) + 80
        if bytes + size > maxBytes {
            known = [:]
            bytes = 0
        }
        if known.updateValue(readable, forKey: name) == nil { bytes += size }
    }
}
