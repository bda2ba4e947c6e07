import Foundation

/// What counts as one sender when addresses are counted.
public enum AddressNetwork {
    /// An IPv4 address itself, or the first half of an IPv6 one: who has one has 2^64.
    public static func name(_ address: String) -> String {
        var bytes = in6_addr()
        guard address.utf8.contains(UInt8(ascii: ":")), inet_pton(AF_INET6, address, &bytes) == 1 else {
            return address
        }
        return withUnsafeBytes(of: bytes) { $0.prefix(8).map { String($0, radix: 16) }.joined(separator: ".") }
    }
}
