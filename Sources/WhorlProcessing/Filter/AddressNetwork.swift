import Foundation

/// Maps an address to the network that counts as one sender.
public enum AddressNetwork {
    /// An IPv4 address, or the first 64 bits of an IPv6 address, because a sender usually controls 2^64 addresses.
    public static func name(_ address: String) -> String {
        var bytes = in6_addr()
        guard address.utf8.contains(UInt8(ascii: ":")), inet_pton(AF_INET6, address, &bytes) == 1 else {
            return address
        }
        return withUnsafeBytes(of: bytes) { $0.prefix(8).map { String($0, radix: 16) }.joined(separator: ".") }
    }
}
