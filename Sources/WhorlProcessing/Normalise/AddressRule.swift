import Glibc
import WhorlProtocol

/// Determines the address of the user, and when the client address is used (protocol facts, section 4.4).
enum AddressRule {
    /// Platforms whose SDKs do not know the address and expect the server to add it.
    private static let inferring: Set<String> = ["javascript", "cocoa", "objc"]

    /// The address of the user, and the client address if the server fills it in.
    static func address(
        of event: Event,
        client: String?,
        _ notes: inout NoteList
    ) -> (address: String?, filled: String?) {
        let named = event.user?.ipAddress
        let remote = event.request?.member("env")?.member("REMOTE_ADDR")?.string
        if named == "{{auto}}" || (named == nil && remote == "{{auto}}") { return (client, client) }
        if let named {
            if isAddress(named) { return (named, nil) }
            notes.add("user.ip_address", "invalid_data")
            return (nil, nil)
        }
        if let remote, isAddress(remote) { return (remote, nil) }
        let inference = event.node.member("sdk")?.member("settings")?.member("infer_ip")?.string
        if inferring.contains(event.platform), inference != "never" { return (client, client) }
        return (nil, nil)
    }

    static func isAddress(_ text: String) -> Bool {
        guard text.utf8.count <= 45 else { return false }
        var v4 = in_addr()
        var v6 = in6_addr()
        return inet_pton(AF_INET, text, &v4) == 1 || inet_pton(AF_INET6, text, &v6) == 1
    }
}
