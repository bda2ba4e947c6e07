import NIOCore
import NIOHTTP1

/// A request that no two programs would read alike: the reason, for the log and tests.
struct AmbiguousRequest: Error, Equatable {
    let reason: String
}

/// A request that expects what we do not know (RFC 9110, 10.1.1).
struct UnknownExpectation: Error {}

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
        if case .head(let head) = unwrapInboundIn(data) {
            let fault: (any Error)? =
                Self.fault(of: head).map { AmbiguousRequest(reason: $0) }
                ?? (Self.expectsUnknown(head) ? UnknownExpectation() : nil)
            if let fault {
                hasRefused = true
                context.fireErrorCaught(fault)
                return
            }
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
        if let host = hosts.first, !HostField.isValid(host) { return "bad Host" }
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

    /// Whether a head expects something else than to be told to go on.
    static func expectsUnknown(_ head: HTTPRequestHead) -> Bool {
        head.headers["expect"].contains { $0.lowercased() != "100-continue" }
    }

    /// Targets are paths.
    ///
    /// An absolute one must name the same host; `*` and authorities are for methods we do not have.
    private static func targetFault(_ target: String, host: String?) -> String? {
        if target.hasPrefix("/") || target == "*" { return nil }
        guard let scheme = target.firstRange(of: "://") else { return "bad target" }
        guard ["http", "https"].contains(target[..<scheme.lowerBound].lowercased()) else { return "bad target" }
        let authority = target[scheme.upperBound...].prefix { $0 != "/" && $0 != "?" && $0 != "#" }
        return host.map { $0.lowercased() == authority.lowercased() } ?? false ? nil : "Host differs from the target"
    }
}
