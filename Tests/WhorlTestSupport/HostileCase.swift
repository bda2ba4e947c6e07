import CWhorlCompression
import Foundation
import WhorlProtocol

/// A hostile request and its expected outcome; see `Tests/Fixtures/hostile/README.md`.
package struct HostileCase: Sendable {
    /// What the test does after it has sent the bytes.
    package enum Then: String, Sendable {
        case read
        case halfClose = "half-close"
        case reset
        case stall
    }

    /// The name, in the form `file/fixture`.
    package let name: String
    package let bytes: [UInt8]
    package let then: Then
    package let expected: JSON

    /// Every case, with the placeholders in braces replaced by `values`.
    package static func all(_ values: [String: String]) throws -> [HostileCase] {
        try FixtureFile.all("hostile").map { try HostileCase($0.name, JSON($0.root), values) }
    }

    private init(_ name: String, _ content: JSON, _ values: [String: String]) throws {
        let builder = Builder(values: values)
        self.name = name
        guard let then = Then(rawValue: content["then"]?.string ?? "read"), let expected = content["expect"] else {
            throw TestFailure("\(name) is not a case")
        }
        self.then = then
        self.expected = expected
        if let raw = content["raw"] {
            bytes = try builder.bytes(raw)
        } else if let request = content["request"] {
            bytes = try builder.request(request)
        } else {
            throw TestFailure("\(name) sends nothing")
        }
    }

    /// Builds the bytes of a case from its parts.
    private struct Builder {
        let values: [String: String]

        func request(_ request: JSON) throws -> [UInt8] {
            guard let method = request["method"]?.string, let path = request["path"]?.string else {
                throw TestFailure("a request needs a method and a path")
            }
            let body = try bytes(request["body"] ?? [])
            var head = "\(method) \(filled(path)) HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
            var names: Set<String> = []
            for pair in request["headers"]?.array ?? [] {
                guard let name = pair.array?.first?.string, let value = pair.array?.last?.string else { continue }
                names.insert(name.lowercased())
                head += "\(name): \(filled(value))\r\n"
            }
            if names.isDisjoint(with: ["content-length", "transfer-encoding"]) {
                head += "Content-Length: \(body.count)\r\n"
            }
            if request["auth"] != .bool(false), !names.contains("x-sentry-auth") {
                head += filled("X-Sentry-Auth: Sentry sentry_version=7, sentry_client=hostile/1, sentry_key={key}\r\n")
            }
            return Array((head + "\r\n").utf8) + body
        }

        func bytes(_ parts: JSON) throws -> [UInt8] {
            try (parts.array ?? []).reduce(into: []) { $0 += try part($1) }
        }

        private func part(_ part: JSON) throws -> [UInt8] {
            for (kind, value) in part.object ?? [] {
                switch kind {
                case "text": return Array(filled(value.string ?? "").utf8)
                case "hex": return try hex(value.string ?? "")
                case "base64": return Array(Data(base64Encoded: value.string ?? "") ?? Data())
                case "repeat":
                    let unit = try bytes(value)
                    let times = part["times"]?.int ?? 0
                    var result: [UInt8] = []
                    result.reserveCapacity(unit.count * times)
                    for _ in 0..<times { result += unit }
                    return result
                case "gzip":
                    return Self.deflated(try bytes(value), libdeflate_gzip_compress_bound, libdeflate_gzip_compress)
                case "zlib":
                    return Self.deflated(try bytes(value), libdeflate_zlib_compress_bound, libdeflate_zlib_compress)
                case "deflate":
                    return Self.deflated(
                        try bytes(value),
                        libdeflate_deflate_compress_bound,
                        libdeflate_deflate_compress
                    )
                case "zstd":
                    let content = try bytes(value)
                    let bound = ZSTD_compressBound(content.count)
                    return [UInt8](unsafeUninitializedCapacity: bound) { buffer, count in
                        count = ZSTD_compress(buffer.baseAddress, bound, content, content.count, 1)
                    }
                case "base64_of": return Array(Data(try bytes(value)).base64EncodedString().utf8)
                case "length_of": return Array(String(try bytes(value).count).utf8)
                case "event":
                    let id = value["event_id"]?.text ?? "null"
                    return Array("{\"event_id\":\(id)}\n{\"type\":\"event\"}\n".utf8) + value.encoded() + [0x0A]
                case "times": continue
                default: throw TestFailure("unknown part \(kind)")
                }
            }
            return []
        }

        private func filled(_ text: String) -> String {
            guard text.contains("{") else { return text }
            return values.reduce(text) { $0.replacingOccurrences(of: "{\($1.key)}", with: $1.value) }
        }

        private func hex(_ text: String) throws -> [UInt8] {
            let digits = Array(text.utf8.filter { $0 > 0x20 })
            return try stride(from: 0, to: digits.count - 1, by: 2)
                .map { index in
                    guard let byte = UInt8(String(decoding: digits[index...index + 1], as: UTF8.self), radix: 16) else {
                        throw TestFailure("bad hex")
                    }
                    return byte
                }
        }

        private static func deflated(
            _ content: [UInt8],
            _ bound: (OpaquePointer?, Int) -> Int,
            _ compress: (OpaquePointer?, UnsafeRawPointer?, Int, UnsafeMutableRawPointer?, Int) -> Int
        ) -> [UInt8] {
            let compressor = libdeflate_alloc_compressor(6)
            defer { libdeflate_free_compressor(compressor) }
            let capacity = bound(compressor, content.count)
            return [UInt8](unsafeUninitializedCapacity: capacity) { buffer, count in
                count = content.withUnsafeBytes {
                    compress(compressor, $0.baseAddress, $0.count, buffer.baseAddress, capacity)
                }
            }
        }
    }
}
