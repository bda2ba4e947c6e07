/// What has to be made so that each event of a batch has its leading hash and each hash an issue: a pure function of what the
/// database has.
///
/// Events go in the order of their keys. An event whose leading hash is known belongs to that hash's issue; else to the issue
/// of its first known further hash; else it founds an issue. What one event makes, the next one finds.
struct HashPlan: Sendable {
    typealias Key = ReferenceCache.HashKey

    /// A hash that the database has, and where it points.
    struct Known: Sendable, Equatable {
        let id: Int
        let issueID: Int
        let homeIssueID: Int
    }

    /// Where a hash to be made points.
    enum Owner: Sendable, Equatable {
        case issue(id: Int, home: Int)
        /// The issue that the event with this leading hash founds.
        case founder(Key)
    }

    /// A hash to be made for an issue that exists or is founded.
    struct Further: Sendable, Equatable {
        let key: Key
        let owner: Owner
        /// Whether an event has it as its leading hash, so that it is made in any case.
        let isLeading: Bool
    }

    /// Places of the events that found an issue.
    private(set) var founders: [Int] = []
    private(set) var further: [Further] = []

    var isEmpty: Bool { founders.isEmpty && further.isEmpty }

    /// Plans for events, each with its leading hash first.
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
                founders.append(place)
            }
            owners[leading] = owner
            for key in keys.dropFirst() where owners[key] == nil {
                owners[key] = owner
                further.append(Further(key: key, owner: owner, isLeading: false))
            }
        }
    }
}
