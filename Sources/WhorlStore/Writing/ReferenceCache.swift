/// An in-memory cache of ids that never change: those of hashes, environments and releases.
///
/// The issue that a hash points to can change, so it is not cached. Memory is bounded: a part that is full is emptied,
/// since the database can provide all entries again.
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
    /// Further hashes of events that are known to point to an issue.
    private(set) var aliases: [HashKey: Bool] = [:]
    private(set) var environments: [NameKey: Int] = [:]
    private(set) var releases: [NameKey: Int] = [:]

    /// Adds the references found by a committed transaction; those of an aborted transaction may not exist.
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
