import NIOCore
import NIOHTTP1

/// The error for a request that other programs may interpret differently; the reason is for the log and tests.
struct AmbiguousRequest: Error, Equatable {
    let reason: String
}

/// The error for a request with an unknown expectation (RFC 9110, 10.1.1).
struct UnknownExpectation: Error {}

/// Refuses heads that the decoder accepts but that a proxy in front may interpret differently.
///
/// It is between the decoder and the codec that converts heads to HTTPTypes, because that codec drops what it does not
/// need.
final class HeadCheck: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = HTTPServerRequestPart

    private var hasRefused = false

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        // Data after a refused head is ignored.
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

    /// The reason for refusing a head; nil if the head is accepted.
    static func fault(of head: HTTPRequestHead) -> String? {
        let isOld = head.version.major < 1 || head.version.major == 1 && head.version.minor == 0
        let hosts = head.headers["host"]
        // RFC 9112, 3.2: exactly one Host, even if an HTTP/1.1 client sends an absolute target.
        guard hosts.count == 1 || hosts.isEmpty && isOld else {
            return hosts.isEmpty ? "no Host" : "several Hosts"
        }
        if let host = hosts.first, !HostField.isValid(host) { return "bad Host" }
        if let fault = targetFault(head.uri, host: hosts.first) { return fault }
        let lengths = head.headers["content-length"]
        let codings = head.headers["transfer-encoding"]
        if lengths.count > 1 { return "several Content-Lengths" }
        // RFC 9112, 6.1: a request with both may be a smuggling attempt, and HTTP/1.0 does not define
        // Transfer-Encoding.
        if !codings.isEmpty, !lengths.isEmpty || isOld { return "Transfer-Encoding beside another length" }
        if codings.count > 1 || codings.first.map({ $0.lowercased() != "chunked" }) ?? false {
            return "a Transfer-Encoding that is not just chunked"
        }
        return nil
    }

    /// Whether a head has an expectation other than `100-continue`.
    static func expectsUnknown(_ head: HTTPRequestHead) -> Bool {
        head.headers["expect"].contains { $0.lowercased() != "100-continue" }
    }

    /// The reason for refusing a target; nil if the target is accepted.
    ///
    /// A target is a path or `*`. An absolute target must name the same host. Authority targets are only for methods
    /// that are not supported.
    private static func targetFault(_ target: String, host: String?) -> String? {
        if target.hasPrefix("/") || target == "*" { return nil }
        guard let scheme = target.firstRange(of: "://") else { return "bad target" }
        guard ["http", "https"].contains(target[..<scheme.lowerBound].lowercased()) else { return "bad target" }
        let authority = target[scheme.upperBound...].prefix { $0 != "/" && $0 != "?" && $0 != "#" }
        return host.map { $0.lowercased() == authority.lowercased() } ?? false ? nil : "Host differs from the target"
    }
}
