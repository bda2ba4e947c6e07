import Foundation
import Glibc
import WhorlProtocol

/// The response to a test's request.
package struct TestAnswer: Sendable {
    package let status: Int
    /// The headers, by lower-case name.
    package let headers: [String: String]
    package let body: [UInt8]

    package var text: String { String(decoding: body, as: UTF8.self) }

    /// The body as JSON.
    package func json() throws -> JSON { JSON(try JSONDocument(body).root) }
}

/// An HTTP client that sends exactly the given bytes to a port of this machine, one connection per request.
package struct TestHTTP: Sendable {
    package let port: Int
    package var token: String?

    package init(port: Int, token: String? = nil) {
        self.port = port
        self.token = token
    }

    package func get(_ path: String, headers: [String: String] = [:]) async throws -> TestAnswer {
        try await send("GET", path, headers: headers)
    }

    package func send(
        _ method: String,
        _ path: String,
        headers: [String: String] = [:],
        body: [UInt8]? = nil
    ) async throws -> TestAnswer {
        var head = "\(method) \(path) HTTP/1.1\r\nHost: 127.0.0.1:\(port)\r\nConnection: close\r\n"
        if let token, headers["Authorization"] == nil { head += "Authorization: Bearer \(token)\r\n" }
        for (name, value) in headers { head += "\(name): \(value)\r\n" }
        if let body { head += "Content-Length: \(body.count)\r\n" }
        return try await raw(Array((head + "\r\n").utf8) + (body ?? []))
    }

    /// Sends a JSON body.
    package func send(_ method: String, _ path: String, json: JSON) async throws -> TestAnswer {
        try await send(method, path, headers: ["Content-Type": "application/json"], body: json.encoded())
    }

    /// Sends bytes and reads one response.
    package func raw(_ bytes: [UInt8]) async throws -> TestAnswer {
        try await withCheckedThrowingContinuation { done in
            Thread.detachNewThread { done.resume(with: Result { try exchange(bytes) }) }
        }
    }

    /// Does the same on the calling thread, for time measurements that must not wait for other tasks.
    package func exchange(_ bytes: [UInt8]) throws -> TestAnswer {
        let connection = try LoopbackSocket.connect(port: port)
        defer { close(connection) }
        var limit = timeval(tv_sec: 30, tv_usec: 0)
        setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        setsockopt(connection, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        var sent = 0
        while sent < bytes.count {
            let count = bytes[sent...]
                .withUnsafeBytes { Glibc.send(connection, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            // A server can respond and close the connection before it has read everything.
            if count <= 0 { break }
            sent += count
        }
        var received: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = recv(connection, &buffer, buffer.count, 0)
            if count < 0, errno == EAGAIN { throw TestFailure("no answer within 30 s") }
            if count <= 0 { break }
            received += buffer[..<count]
            if let answer = TestAnswer.parse(received, isComplete: false)?.answer { return answer }
        }
        guard let answer = TestAnswer.parse(received, isComplete: true)?.answer else { throw TestFailure("no answer") }
        return answer
    }
}

extension TestAnswer {
    /// All responses in the bytes, in order.
    ///
    /// Responses to HEAD have no bodies, whatever length they declare.
    static func all(in bytes: [UInt8], hasBodies: Bool = true) -> [TestAnswer] {
        var answers: [TestAnswer] = []
        var rest = bytes
        while !rest.isEmpty, let (answer, length) = parse(rest, isComplete: true, hasBody: hasBodies) {
            answers.append(answer)
            rest = Array(rest[length...])
        }
        return answers
    }

    /// Parses one response; nil until it is complete.
    static func parse(
        _ bytes: [UInt8],
        isComplete: Bool,
        hasBody: Bool = true
    ) -> (answer: TestAnswer, length: Int)? {
        guard let end = bytes.firstRange(of: [0x0D, 0x0A, 0x0D, 0x0A]) else { return nil }
        let lines = String(decoding: bytes[..<end.lowerBound], as: UTF8.self).components(separatedBy: "\r\n")
        guard let status = lines.first?.split(separator: " ").dropFirst().first.flatMap({ Int($0) }) else { return nil }
        var headers: [String: String] = [:]
        for line in lines.dropFirst() {
            let parts = line.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2 else { continue }
            headers[parts[0].lowercased()] = parts[1].trimmingCharacters(in: .whitespaces)
        }
        var body = Array(bytes[end.upperBound...])
        if !hasBody || status == 204 || status == 304 || status < 200 {
            return (TestAnswer(status: status, headers: headers, body: []), end.upperBound)
        }
        var length = bytes.count
        if let size = headers["content-length"].flatMap({ Int($0) }) {
            guard body.count >= size else { return nil }
            body = Array(body[..<size])
            length = end.upperBound + size
        } else if headers["transfer-encoding"] == "chunked" {
            guard let decoded = unchunked(body) else { return nil }
            body = decoded
        } else if !isComplete {
            return nil
        }
        return (TestAnswer(status: status, headers: headers, body: body), length)
    }

    private static func unchunked(_ bytes: [UInt8]) -> [UInt8]? {
        var result: [UInt8] = []
        var at = 0
        while let end = bytes[at...].firstRange(of: [0x0D, 0x0A]) {
            guard let size = Int(String(decoding: bytes[at..<end.lowerBound], as: UTF8.self), radix: 16) else {
                return nil
            }
            if size == 0 { return result }
            guard end.upperBound + size + 2 <= bytes.count else { return nil }
            result += bytes[end.upperBound..<end.upperBound + size]
            at = end.upperBound + size + 2
        }
        return nil
    }
}
