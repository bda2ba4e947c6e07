import Foundation
import WhorlProtocol

/// A request of a real client, as it was recorded.
package struct Capture: Sendable {
    package let name: String
    package let method: String
    package let path: String
    package let headers: [(name: String, value: String)]
    package let body: [UInt8]

    /// All recorded requests.
    package static func all() throws -> [Capture] {
        let root = folder
        return try FileManager.default.contentsOfDirectory(atPath: root).sorted()
            .flatMap { sdk -> [Capture] in
                guard sdk.hasPrefix("sentry-") else { return [] }
                return try FileManager.default.contentsOfDirectory(atPath: "\(root)/\(sdk)").sorted()
                    .map { name in
                        try Capture(folder: "\(root)/\(sdk)/\(name)", name: "\(sdk)/\(name)")
                    }
            }
    }

    /// What has to become of each ingest request, by its name.
    package static func expectations() throws -> JSON {
        JSON(try JSONDocument(Array(Data(contentsOf: URL(fileURLWithPath: folder + "/expectations.json")))).root)
    }

    package static var folder: String { TestCollector.repository + "/Tests/Fixtures/captures" }

    /// Whether the request is one of the write side.
    package var isIngest: Bool { !path.hasPrefix("/api/0/") }

    package func header(_ name: String) -> String? { headers.first { $0.name == name }?.value }

    /// The request as it went over the wire, with `Connection: close` so that its answer has an end.
    package var wireBytes: [UInt8] {
        var head = "\(method) \(path) HTTP/1.1\r\n"
        for (name, value) in headers where name != "connection" && !name.hasPrefix(":") {
            head += "\(name): \(value)\r\n"
        }
        if header("host") == nil { head += "host: localhost\r\n" }
        return Array((head + "connection: close\r\n\r\n").utf8) + body
    }

    private init(folder: String, name: String) throws {
        self.name = name
        let text = try Data(contentsOf: URL(fileURLWithPath: folder + "/request.json"))
        let request = JSON(try JSONDocument(Array(text)).root)
        guard let method = request["method"]?.string, let path = request["path"]?.string else {
            throw TestFailure("\(name) is no capture")
        }
        self.method = method
        self.path = path
        headers = (request["headers"]?.array ?? [])
            .compactMap { pair in
                guard let name = pair.array?.first?.string, let value = pair.array?.last?.string else { return nil }
                return (name, value)
            }
        let file = URL(fileURLWithPath: folder + "/body.bin")
        body = FileManager.default.fileExists(atPath: file.path) ? Array(try Data(contentsOf: file)) : []
    }
}
