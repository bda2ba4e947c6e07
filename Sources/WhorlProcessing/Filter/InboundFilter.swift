import WhorlProtocol

/// Decides whether a project filters an event; patterns and networks are parsed once, not per event.
public struct InboundFilter: Sendable, Equatable {
    private let settings: FilterSettings
    private let releases: [Glob]
    private let messages: [Glob]
    private let errorTypes: [Glob]
    private let addresses: NetworkList?

    /// Creates a filter from settings; malformed patterns and addresses match nothing.
    public init(_ settings: FilterSettings) {
        self.settings = settings
        releases = settings.releases.compactMap { Glob($0) }
        messages = settings.messages.compactMap { Glob($0) }
        errorTypes = settings.errorTypes.compactMap { Glob($0) }
        addresses = NetworkList(settings.addresses.filter { NetworkList([$0]) != nil })
    }

    /// The reason why the event is filtered; nil when it is not.
    func reason(against normalised: NormalisedEvent, client: String?) -> FilterReason? {
        let event = normalised.event
        if let client, addresses?.contains(client) ?? false { return .address }
        if settings.localhost, Self.isLocal(normalised) { return .localhost }
        if !releases.isEmpty, let release = normalised.release, releases.contains(where: { $0.matches(release) }) {
            return .release
        }
        if !errorTypes.isEmpty, Self.types(event).contains(where: { type in errorTypes.contains { $0.matches(type) } })
        {
            return .errorType
        }
        if !messages.isEmpty, Self.messages(event).contains(where: { text in messages.contains { $0.matches(text) } }) {
            return .message
        }
        if settings.legacyBrowsers || settings.webCrawlers, let agent = Self.userAgent(event) {
            if settings.webCrawlers, UserAgent.isCrawler(agent) { return .webCrawlers }
            if settings.legacyBrowsers, UserAgent.isLegacy(agent) { return .legacyBrowsers }
        }
        return nil
    }

    private static func isLocal(_ normalised: NormalisedEvent) -> Bool {
        if let address = normalised.userAddress, ["127.0.0.1", "::1"].contains(address) { return true }
        guard let url = normalised.event.request?.member("url")?.string?.prefix(2_048) else { return false }
        guard let start = url.firstRange(of: "://")?.upperBound else { return false }
        let authority = url[start...].prefix { $0 != "/" && $0 != "?" && $0 != "#" }
        let host = authority.split(separator: "@").last ?? ""
        if host.hasPrefix("[::1]") { return true }
        return ["localhost", "127.0.0.1"].contains(host.prefix { $0 != ":" })
    }

    private static func types(_ event: Event) -> [String] {
        event.exceptions.compactMap(\.type)
    }

    private static func messages(_ event: Event) -> [String] {
        var texts = event.exceptions.map { exception in
            [exception.type, exception.value].compactMap(\.self).joined(separator: ": ")
        }
        if let shown = event.message?.shown { texts.append(shown) }
        return texts
    }

    /// The `User-Agent` header of the request in the event.
    private static func userAgent(_ event: Event) -> String? {
        guard let headers = event.request?.member("headers") else { return nil }
        for (key, value) in headers.members where key.string?.lowercased() == "user-agent" { return value.string }
        for pair in headers.elements {
            let parts = Array(pair.elements.prefix(2))
            if parts.count == 2, parts[0].string?.lowercased() == "user-agent" { return parts[1].string }
        }
        return nil
    }
}
