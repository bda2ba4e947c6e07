import Foundation
import WhorlProtocol

/// A recorded request of a real client.
package struct Capture: Sendable {
    package let name: String
    package let method: String
    package let path: String
    package let headers: [(name: String, value: String)]
    package let body: [UInt8]

    /// All recorded requests.
    package static func all() throws -> [Capture] {
        try FixtureFile.all("captures").map { try Capture($0.name, JSON($0.root)) }
    }

    /// The expected outcome of each ingest request, by the name of the request.
    package static func expectations() throws -> JSON {
        JSON(try JSONDocument(Array(Data(contentsOf: URL(fileURLWithPath: folder + "/expectations.json")))).root)
    }

    package static var folder: String { TestCollector.repository + "/Tests/Fixtures/captures" }

    /// Whether the request is an ingest request, not a request to the read API.
    package var isIngest: Bool { !path.hasPrefix("/api/0/") }

    package func header(_ name: String) -> String? { headers.first { $0.name == name }?.value }

    /// The request as it is sent over the wire, with `Connection: close` so that the server ends the response.
    package var wireBytes: [UInt8] {
        var head = "\(method) \(path) HTTP/1.1\r\n"
        for (name, value) in headers where name != "connection" && !name.hasPrefix(":") {
            head += "\(name): \(value)\r\n"
        }
        if header("host") == nil { head += "host: localhost\r\n" }
        return Array((head + "connection: close\r\n\r\n").utf8) + body
    }

    private init(_ name: String, _ request: JSON) throws {
        self.name = name
        guard let method = request["method"]?.string, let path = request["path"]?.string else {
            throw TestFailure("\(name) is not a capture")
        }
        self.method = method
        self.path = path
        headers = (request["headers"]?.array ?? [])
            .compactMap { pair in
                guard let name = pair.array?.first?.string, let value = pair.array?.last?.string else { return nil }
                return (name, value)
            }
        body = request["body"]?.string.flatMap { Data(base64Encoded: $0) }.map(Array.init) ?? []
    }
}
