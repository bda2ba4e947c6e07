import NIOCore
import NIOHTTP1

/// A request that no two programs would read alike: the reason, for the log and tests.
struct AmbiguousRequest: Error, Equatable {
    let reason: String
}

/// Refuses heads that the decoder accepts and that a proxy in front may read differently.
///
/// It stands between the decoder and what turns heads into types of our own, since that drops what it does not need.
final class HeadCheck: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = HTTPServerRequestPart

    private var hasRefused = false

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        // What follows a refused head belongs to nothing.
        guard !hasRefused else { return }
        if case .head(let head) = unwrapInboundIn(data), let fault = Self.fault(of: head) {
            hasRefused = true
            context.fireErrorCaught(AmbiguousRequest(reason: fault))
            return
        }
        context.fireChannelRead(data)
    }

    /// Why a head is refused; nil when it is not.
    static func fault(of head: HTTPRequestHead) -> String? {
        let isOld = head.version.major < 1 || head.version.major == 1 && head.version.minor == 0
        let hosts = head.headers["host"]
        // RFC 9112, 3.2: exactly one, also from a client of HTTP/1.1 that sends an absolute target.
        guard hosts.count == 1 || hosts.isEmpty && isOld else {
            return hosts.isEmpty ? "no Host" : "several Hosts"
        }
        if let host = hosts.first, !isHost(host) { return "bad Host" }
        if let fault = targetFault(head.uri, host: hosts.first) { return fault }
        let lengths = head.headers["content-length"]
        let codings = head.headers["transfer-encoding"]
        if lengths.count > 1 { return "several Content-Lengths" }
        // RFC 9112, 6.1: both at once is how requests are smuggled; nor did HTTP/1.0 know the second.
        if !codings.isEmpty, !lengths.isEmpty || isOld { return "Transfer-Encoding beside another length" }
        if codings.count > 1 || codings.first.map({ $0.lowercased() != "chunked" }) ?? false {
            return "a Transfer-Encoding that is not just chunked"
        }
        return nil
    }

    /// Whether a value may be the name or address of a host with a port (RFC 3986, 3.2).
    private static func isHost(_ host: String) -> Bool {
        host.utf8.count <= 300
            && host.utf8.allSatisfy { byte in
                byte &- 0x30 < 10 || (byte | 0x20) &- 0x61 < 26 || "-._~%!$&'()*+,;=:[]".utf8.contains(byte)
            }
    }

    /// Targets are paths.
    ///
    /// An absolute one must name the same host; `*` and authorities are for methods we do not have.
    private static func targetFault(_ target: String, host: String?) -> String? {
        if target.hasPrefix("/") || target == "*" { return nil }
        guard let scheme = target.firstRange(of: "://") else { return "bad target" }
        let authority = target[scheme.upperBound...].prefix { $0 != "/" && $0 != "?" && $0 != "#" }
        return host.map { $0.lowercased() == authority.lowercased() } ?? false ? nil : "Host differs from the target"
    }
}
