import WhorlProtocol

/// A component of the grouping of an event, with the reason why it contributes or does not.
///
/// The tree of components explains a hash: the hash is computed only from the contributing values, in order.
public indirect enum GroupingComponent: Sendable {
    /// A value.
    case value(name: String, text: String, contributes: Bool, hint: String?)
    /// A group of components; if it does not contribute, none of its children does.
    case group(name: String, contributes: Bool, hint: String?, children: [GroupingComponent])

    /// Creates a value that contributes unless `hint` gives a reason; returns nil when the text is nil or empty.
    static func value(_ name: String, _ text: String?, ignored hint: String? = nil) -> GroupingComponent? {
        guard let text, !text.isEmpty else { return nil }
        return .value(name: name, text: text, contributes: hint == nil, hint: hint)
    }

    /// Whether the component or any of its children contributes.
    public var contributes: Bool {
        switch self {
        case .value(_, _, let contributes, _): contributes
        case .group(_, let contributes, _, let children): contributes && children.contains { $0.contributes }
        }
    }

    /// The contributing values, in order.
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

    /// Returns the component as not contributing, with the reason.
    func ignored(_ reason: String) -> GroupingComponent {
        switch self {
        case .value(let name, let text, _, let hint):
            .value(name: name, text: text, contributes: false, hint: hint ?? reason)
        case .group(let name, _, let hint, let children):
            .group(name: name, contributes: false, hint: hint ?? reason, children: children)
        }
    }

    /// The component as JSON for display.
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
