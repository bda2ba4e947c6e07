import HTTPTypes
import WhorlProcessing

/// The proxies whose `X-Forwarded-For` is trusted, by network.
package struct TrustedProxies: Sendable {
    private let networks: NetworkList

    /// Reads a comma-separated list of addresses and CIDR networks; nil when one of them is malformed.
    package init?(_ text: String) {
        guard let networks = NetworkList(text.split(separator: ",").map(String.init)) else { return nil }
        self.networks = networks
    }

    /// Whether an address belongs to a trusted proxy.
    package func contains(_ address: String) -> Bool { networks.contains(address) }

    /// The address of the client.
    ///
    /// It is the address of the peer or, behind a trusted proxy, the last address in `X-Forwarded-For` that is not a
    /// trusted proxy itself.
    package func clientAddress(peer: String?, _ fields: HTTPFields) -> String? {
        guard let peer, networks.contains(peer), let forwardedFor = fields[.forwardedFor] else { return peer }
        let chain = forwardedFor.split(separator: ",").suffix(20).map { $0.filter { $0 != " " } }
        return chain.last { !networks.contains($0) } ?? chain.first ?? peer
    }

    /// The address or network by which per-address limits count requests (``AddressNetwork``).
    package func network(peer: String?, _ fields: HTTPFields) -> String {
        AddressNetwork.name(clientAddress(peer: peer, fields) ?? "")
    }
}

extension HTTPField.Name {
    /// The field in which proxies list the addresses that a request has passed.
    fileprivate static let forwardedFor: HTTPField.Name = {
        guard let name = HTTPField.Name("X-Forwarded-For") else {
            preconditionFailure("X-Forwarded-For is a valid name")
        }
        return name
    }()
}
