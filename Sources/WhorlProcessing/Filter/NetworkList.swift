import Glibc

/// A list of addresses and networks in CIDR notation.
public struct NetworkList: Sendable, Equatable {
    private struct Network: Sendable, Equatable {
        let bytes: [UInt8]
        let bits: Int
    }

    private let networks: [Network]

    /// Whether the list is empty.
    public var isEmpty: Bool { networks.isEmpty }

    /// Parses texts such as `10.0.0.0/8` and `::1`; returns nil when one of them is malformed.
    public init?(_ texts: [String]) {
        var networks: [Network] = []
        for text in texts {
            let pieces = text.filter { $0 != " " }.split(separator: "/", maxSplits: 1)
            guard let first = pieces.first, let bytes = Self.bytes(of: String(first)) else { return nil }
            let bits = pieces.count > 1 ? Int(pieces[1]) : bytes.count * 8
            guard let bits, (0...bytes.count * 8).contains(bits) else { return nil }
            networks.append(Network(bytes: bytes, bits: bits))
        }
        self.networks = networks
    }

    /// Whether an address is in one of the networks; false for an invalid address.
    public func contains(_ address: String) -> Bool {
        guard !networks.isEmpty, let bytes = Self.bytes(of: address) else { return false }
        return networks.contains { network in
            guard network.bytes.count == bytes.count else { return false }
            return (0..<network.bits)
                .allSatisfy { bit in
                    (bytes[bit / 8] ^ network.bytes[bit / 8]) & (0x80 >> UInt8(bit % 8)) == 0
                }
        }
    }

    /// The bytes of an address; an IPv4-mapped IPv6 address becomes an IPv4 address.
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
