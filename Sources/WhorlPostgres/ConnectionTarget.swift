import CWhorlPostgres
import Foundation
import Glibc

/// The parameters of a connection, parsed from its URL by libpq's own parser.
///
/// Host names are not resolved by libpq, which does so inside `PQconnectStart` and without a deadline.
struct ConnectionTarget: Sendable {
    /// The connection keywords of libpq and their values, except hosts and ports.
    private let parameters: [(keyword: String, value: String)]
    private let hosts: [String]
    private let ports: [String]
    private let hasAddresses: Bool

    /// Parses a URL or a keyword/value string; errors do not quote it, since it may contain a password.
    init(_ url: String) throws(PostgresError) {
        guard let options = PQconninfoParse(url, nil) else {
            throw PostgresError(.other, "the connection URL is malformed; percent-encode special characters in it")
        }
        defer { PQconninfoFree(options) }
        var values: [(String, String)] = []
        var hosts: [String] = []
        var ports: [String] = []
        var option = options
        while let keyword = option.pointee.keyword {
            if let value = option.pointee.val.map({ String(cString: $0) }), !value.isEmpty {
                switch String(cString: keyword) {
                case "host": hosts = value.components(separatedBy: ",")
                case "port": ports = value.components(separatedBy: ",")
                case let name: values.append((name, value))
                }
            }
            option += 1
        }
        parameters = values
        // A service file or PGHOSTADDR may name the host if the URL does not; libpq reads those itself.
        self.hosts = hosts.isEmpty ? Self.variable("PGHOST").map { $0.components(separatedBy: ",") } ?? [] : hosts
        self.ports = ports
        hasAddresses = values.contains { $0.0 == "hostaddr" }
    }

    /// The password, which must not appear in an error.
    var secret: String? { parameters.first { $0.keyword == "password" }?.value }

    /// The host names that must be resolved: neither addresses nor paths of sockets.
    var names: [String] {
        guard !hasAddresses else { return [] }
        return hosts.filter { !$0.isEmpty && !$0.hasPrefix("/") && !$0.hasPrefix("@") && !Self.isAddress($0) }
    }

    /// Keywords and values for `PQconnectStartParams`, with the addresses of each name.
    ///
    /// A name with several addresses is tried once for each of them, in order.
    func keywords(_ addresses: [String: [String]]) -> [(String, String)] {
        var result = parameters.map { ($0.keyword, $0.value) }
        guard !names.isEmpty else {
            if !hosts.isEmpty { result.append(("host", hosts.joined(separator: ","))) }
            if !ports.isEmpty { result.append(("port", ports.joined(separator: ","))) }
            return result
        }
        var places: [(host: String, address: String, port: String)] = []
        for (index, host) in hosts.enumerated() {
            let port = ports.count == 1 ? ports[0] : index < ports.count ? ports[index] : ""
            for address in addresses[host] ?? [""] { places.append((host, address, port)) }
        }
        result.append(("host", places.map(\.host).joined(separator: ",")))
        result.append(("hostaddr", places.map(\.address).joined(separator: ",")))
        if !ports.isEmpty { result.append(("port", places.map(\.port).joined(separator: ","))) }
        return result
    }

    private static func isAddress(_ host: String) -> Bool {
        var four = in_addr()
        var six = in6_addr()
        let name = String(host.prefix { $0 != "%" })
        return inet_pton(AF_INET, name, &four) == 1 || inet_pton(AF_INET6, name, &six) == 1
    }

    private static func variable(_ name: String) -> String? {
        ProcessInfo.processInfo.environment[name].flatMap { $0.isEmpty ? nil : $0 }
    }
}
