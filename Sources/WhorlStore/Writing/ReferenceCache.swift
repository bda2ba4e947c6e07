/// What never changes, kept in memory: hash → hash id, environment → id, release → id.
///
/// Which issue a hash points to does change, so it is not here. Bounded: when a part is full it is emptied, since the
/// database gives everything back.
struct ReferenceCache {
    struct HashKey: Hashable {
        let projectID: Int
        let hash: [UInt8]
    }

    struct NameKey: Hashable {
        let projectID: Int
        let name: String
    }

    private static let capacity = 100_000

    private(set) var hashes: [HashKey: Int] = [:]
    /// Hashes that are no event's leading one and are known to point somewhere.
    private(set) var aliases: [HashKey: Bool] = [:]
    private(set) var environments: [NameKey: Int] = [:]
    private(set) var releases: [NameKey: Int] = [:]

    /// Adds what a committed transaction found; what an aborted one found may not exist.
    mutating func merge(_ found: ReferenceCache) {
        Self.merge(found.hashes, into: &hashes)
        Self.merge(found.aliases, into: &aliases)
        Self.merge(found.environments, into: &environments)
        Self.merge(found.releases, into: &releases)
    }

    mutating func add(hash key: HashKey, _ id: Int) { hashes[key] = id }
    mutating func add(environment key: NameKey, _ id: Int) { environments[key] = id }
    mutating func add(release key: NameKey, _ id: Int) { releases[key] = id }
    mutating func add(alias key: HashKey) { aliases[key] = true }
    mutating func remove(hash key: HashKey) { hashes[key] = nil }

    /// Whether every hash of the event has been looked up.
    func knowsHashes(of event: PreparedEvent) -> Bool {
        hashes[event.hashKey] != nil && event.aliasKeys.allSatisfy { aliases[$0] != nil || hashes[$0] != nil }
    }

    private static func merge<Key, Value>(_ new: [Key: Value], into known: inout [Key: Value]) {
        if known.count + new.count > capacity { known.removeAll() }
        known.merge(new) { $1 }
    }
}
