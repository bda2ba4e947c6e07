import WhorlProtocol

/// A part of what an event is grouped by, with the reason why it counts or does not.
///
/// The tree of components explains a hash: the hash is made of the contributing values, in order, and of nothing else.
public indirect enum GroupingComponent: Sendable {
    /// A value, and whether it counts.
    case value(name: String, text: String, contributes: Bool, hint: String?)
    /// A group of components; when it does not count, nothing in it does.
    case group(name: String, contributes: Bool, hint: String?, children: [GroupingComponent])

    /// A value that counts when there is one.
    static func value(_ name: String, _ text: String?, ignored hint: String? = nil) -> GroupingComponent? {
        guard let text, !text.isEmpty else { return nil }
        return .value(name: name, text: text, contributes: hint == nil, hint: hint)
    }

    /// Whether anything in it counts.
    public var contributes: Bool {
        switch self {
        case .value(_, _, let contributes, _): contributes
        case .group(_, let contributes, _, let children): contributes && children.contains { $0.contributes }
        }
    }

    /// The values that count, in order.
    var leaves: [String] {
        var leaves: [String] = []
        appendLeaves(to: &leaves)
        return leaves
    }

    private func appendLeaves(to leaves: inout [String]) {
        switch self {
        case .value(_, let text, let contributes, _): if contributes { leaves.append(text) }
        case .group(_, let contributes, _, let children):
            guard contributes else { return }
            for child in children { child.appendLeaves(to: &leaves) }
        }
    }

    /// The same component, not counting, with the reason.
    func ignored(_ reason: String) -> GroupingComponent {
        switch self {
        case .value(let name, let text, _, let hint):
            .value(name: name, text: text, contributes: false, hint: hint ?? reason)
        case .group(let name, _, let hint, let children):
            .group(name: name, contributes: false, hint: hint ?? reason, children: children)
        }
    }

    /// The component for people, as JSON.
    public var json: JSON {
        switch self {
        case .value(let name, let text, let contributes, let hint):
            [
                "id": .string(name), "contributes": .bool(contributes), "hint": .optional(hint),
                "values": [.string(text)],
            ]
        case .group(let name, _, let hint, let children):
            [
                "id": .string(name), "contributes": .bool(contributes), "hint": .optional(hint),
                "values": .array(children.map(\.json)),
            ]
        }
    }
}
