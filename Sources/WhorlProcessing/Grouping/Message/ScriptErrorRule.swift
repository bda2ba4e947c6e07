import WhorlProtocol

/// Grouping of known browser errors by their kind, because their stack changes with every deploy or contains no
/// information.
enum ScriptErrorRule {
    static func component(_ event: Event) -> GroupingComponent? {
        guard PlatformFamily(event.platform) == .script, let exception = event.exceptions.last else { return nil }
        let type = exception.type ?? ""
        let value = exception.value ?? ""
        if type == "ChunkLoadError" || chunks.contains(where: { value.has($0) }) {
            return kind("chunk-load", "a part of the application could not be loaded, usually after a deploy")
        }
        if hydration.contains(where: { value.has($0) }) {
            return kind("hydration", "the page differs from the HTML that the server rendered")
        }
        return nil
    }

    /// The component of a network error, which the caller uses when no frame contributes.
    static func network(_ exception: ExceptionValue) -> GroupingComponent? {
        guard let value = exception.value, networks.contains(where: { value == $0 || value.hasPrefix($0 + " (") })
        else { return nil }
        return kind("network", "a network request failed")
    }

    /// The host of the page for a `Script error.` from another origin, because the message has no details.
    static func host(_ event: Event, _ exception: ExceptionValue) -> GroupingComponent? {
        guard let value = exception.value, value.hasPrefix("Script error") else { return nil }
        let url = event.node.member("request")?.member("url")?.string
        return GroupingComponent.value("host", url.map(SecurityRule.host))
    }

    private static func kind(_ name: String, _ hint: String) -> GroupingComponent {
        .group(
            name: "built-in-fingerprint",
            contributes: true,
            hint: hint,
            children: [.value(name: "kind", text: name, contributes: true, hint: nil)]
        )
    }

    private static let chunks = [
        "Loading chunk", "Loading CSS chunk", "Failed to fetch dynamically imported module",
        "error loading dynamically imported module", "Importing a module script failed",
    ]
    private static let hydration = [
        "Hydration failed because", "Text content does not match server-rendered HTML",
        "There was an error while hydrating", "Minified React error #418", "Minified React error #423",
        "Minified React error #425",
    ]
    private static let networks = [
        "Failed to fetch", "NetworkError when attempting to fetch resource.", "Load failed", "Network Error",
        "Network request failed", "The network connection was lost.", "The Internet connection appears to be offline.",
    ]
}
