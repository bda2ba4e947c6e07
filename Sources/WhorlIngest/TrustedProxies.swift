import Glibc

/// The proxies whose `X-Forwarded-For` counts, by network.
package struct TrustedProxies: Sendable {
    private struct Network: Sendable {
        let bytes: [UInt8]
        let bits: Int
    }

    private let networks: [Network]

    /// Trusts nobody.
    package init() { networks = [] }

    /// Reads a comma-separated list of addresses and CIDR networks; nil when one of them is malformed.
    package init?(_ text: String) {
        var networks: [Network] = []
        for part in text.split(separator: ",") {
            let pieces = part.filter { $0 != " " }.split(separator: "/", maxSplits: 1)
            guard let first = pieces.first, let bytes = Self.bytes(of: String(first)) else { return nil }
            let bits = pieces.count > 1 ? Int(pieces[1]) : bytes.count * 8
            guard let bits, (0...bytes.count * 8).contains(bits) else { return nil }
            networks.append(Network(bytes: bytes, bits: bits))
        }
        self.networks = networks
    }

    /// The client's address: the peer's, or the last one in `X-Forwarded-For` that is not a trusted proxy itself.
    package func client(peer: String?, forwardedFor: String?) -> String? {
        guard let peer, contains(peer), let forwardedFor else { return peer }
        let chain = forwardedFor.split(separator: ",").suffix(20).map { $0.filter { $0 != " " } }
        return chain.last { !contains($0) } ?? chain.first ?? peer
    }

    private func contains(_ address: String) -> Bool {
        guard let bytes = Self.bytes(of: address) else { return false }
        return networks.contains { network in
            guard network.bytes.count == bytes.count else { return false }
            return (0..<network.bits)
                .allSatisfy { bit in
                    (bytes[bit / 8] ^ network.bytes[bit / 8]) & (0x80 >> UInt8(bit % 8)) == 0
                }
        }
    }

    /// The bytes of an address, IPv4 in IPv6 as IPv4.
    private static func bytes(of text: String) -> [UInt8]? {
        var v4 = in_addr()
        if inet_pton(AF_INET, text, &v4) == 1 { return withUnsafeBytes(of: v4) { Array($0) } }
        var v6 = in6_addr()
        guard inet_pton(AF_INET6, text, &v6) == 1 else { return nil }
        let bytes = withUnsafeBytes(of: v6) { Array($0) }
        let isMapped = bytes[..<10].allSatisfy { $0 == 0 } && bytes[10] == 0xFF && bytes[11] == 0xFF
        return isMapped ? Array(bytes[12...]) : bytes
    }
}
