import WhorlProtocol

/// Grouping of security reports of browsers by the directive and the blocked host.
enum SecurityRule {
    static func component(_ event: Event) -> GroupingComponent? {
        for name in ["csp", "expectct", "expectstaple", "hpkp"] as [StaticString] {
            guard let report = event.node.member(name), report.isObject else { continue }
            let directive = ["effective_directive", "violated_directive", "hostname"]
                .lazy.compactMap { text(report, $0) }.first
            let children = [
                GroupingComponent.value("salt", name.description),
                // Only the directive contributes, not its sources: `script-src 'self' cdn.example.com`.
                GroupingComponent.value("directive", directive?.split(separator: " ").first.map(String.init)),
                GroupingComponent.value("uri", text(report, "blocked_uri").map(host)),
            ]
            .compactMap { $0 }
            return .group(name: name.description, contributes: true, hint: nil, children: children)
        }
        return nil
    }

    private static func text(_ report: JSONNode, _ key: String) -> String? {
        report.members.first { $0.key.string == key }?.value.string
    }

    /// The host of a URI; `self` for an empty URI; the keyword or the scheme for `inline`, `eval` and `data:`.
    static func host(_ uri: String) -> String {
        guard let scheme = uri.firstRange(of: "://") else {
            return uri.split(separator: ":").first.map(String.init) ?? (uri.isEmpty ? "self" : uri)
        }
        return String(uri[scheme.upperBound...].prefix { $0 != "/" && $0 != "?" && $0 != "#" && $0 != ":" })
            .lowercased()
    }
}
