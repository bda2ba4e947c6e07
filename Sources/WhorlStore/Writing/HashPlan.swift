/// A plan of the hashes and issues to create, so that each event of a batch has its leading hash and each hash an
/// issue.
///
/// A pure function of what the database contains. Events are processed in the order of their keys. An event belongs to
/// the issue of its leading hash if that is known, otherwise to the issue of its first known further hash, otherwise to
/// a new issue. Hashes and issues planned for one event are used for the next events.
struct HashPlan: Sendable {
    typealias Key = ReferenceCache.HashKey

    /// A hash in the database, with the issue that it points to.
    struct Known: Sendable, Equatable {
        let id: Int
        let issueID: Int
        let homeIssueID: Int
    }

    /// The issue that a new hash points to.
    enum Owner: Sendable, Equatable {
        case issue(id: Int, home: Int)
        /// The new issue of the event with this leading hash.
        case founder(Key)
    }

    /// A hash to create for an existing or new issue.
    struct Further: Sendable, Equatable {
        let key: Key
        let owner: Owner
        /// Whether it is the leading hash of an event, so that it is created in any case.
        let isLeading: Bool
    }

    /// The indices of the events that get a new issue.
    private(set) var newIssueEvents: [Int] = []
    private(set) var further: [Further] = []

    var isEmpty: Bool { newIssueEvents.isEmpty && further.isEmpty }

    /// Makes the plan for events, each given by its hashes with the leading hash first.
    init(_ events: [[Key]], known: [Key: Known]) {
        var owners: [Key: Owner] = known.mapValues { .issue(id: $0.issueID, home: $0.homeIssueID) }
        for (place, keys) in events.enumerated() {
            guard let leading = keys.first else { continue }
            let owner: Owner
            if let found = owners[leading] {
                owner = found
            } else if let found = keys.dropFirst().lazy.compactMap({ owners[$0] }).first {
                owner = found
                further.append(Further(key: leading, owner: owner, isLeading: true))
            } else {
                owner = .founder(leading)
                newIssueEvents.append(place)
            }
            owners[leading] = owner
            for key in keys.dropFirst() where owners[key] == nil {
                owners[key] = owner
                further.append(Further(key: key, owner: owner, isLeading: false))
            }
        }
    }
}
