import EventSamples
import Foundation
import Glibc

/// Sends envelopes over several connections; each connection waits for the response before it sends the next one.
final class LoadGenerator: @unchecked Sendable {
    struct Outcome {
        var acknowledged = 0
        var refused = 0
        /// The times from the last byte sent to the response in microseconds, sorted.
        var latencies: [Int] = []
        var seconds = 0.0
    }

    private let port: Int
    private let key: String
    /// The compressed items with their headers, one for each issue.
    private let payloads: [[UInt8]]
    private let connections: Int
    /// The request rate of all connections together; nil for no limit.
    private let ratePerSecond: Int?
    private let lock = NSLock()
    private var outcome = Outcome()

    init(port: Int, key: String, payloads: [[UInt8]], connections: Int, ratePerSecond: Int? = nil) {
        self.port = port
        self.key = key
        self.payloads = payloads
        self.connections = connections
        self.ratePerSecond = ratePerSecond
    }

    func run(seconds: Double) -> Outcome {
        outcome = Outcome()
        let start = now()
        let deadline = start + UInt64(seconds * 1e9)
        let group = DispatchGroup()
        for number in 0..<connections {
            group.enter()
            let thread = Thread { [self] in
                drive(number, until: deadline)
                group.leave()
            }
            thread.start()
        }
        group.wait()
        outcome.seconds = Double(now() - start) / 1e9
        outcome.latencies.sort()
        return outcome
    }

    private func drive(_ number: Int, until deadline: UInt64) {
        let connection = Self.connect(to: port)
        guard connection >= 0 else { return }
        defer { close(connection) }
        var own = Outcome()
        var next = number
        let pause = ratePerSecond.map { UInt64(connections) * 1_000_000_000 / UInt64($0) }
        var due = now() + UInt64(number) * (pause ?? 0) / UInt64(connections)
        while now() < deadline {
            if let pause {
                let moment = now()
                if due > moment { usleep(UInt32((due - moment) / 1_000)) }
                due += pause
            }
            let request = request(payloads[next % payloads.count])
            next += connections
            let sent = now()
            guard
                request.withUnsafeBytes({ Glibc.send(connection, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) })
                    == request.count,
                let status = Self.answer(connection)
            else { break }
            own.latencies.append(Int((now() - sent) / 1_000))
            if status == 200 { own.acknowledged += 1 } else { own.refused += 1 }
        }
        lock.withLock {
            outcome.acknowledged += own.acknowledged
            outcome.refused += own.refused
            outcome.latencies += own.latencies
        }
    }

    private func request(_ payload: [UInt8]) -> [UInt8] {
        var id = UUID().uuidString.lowercased()
        id.removeAll { $0 == "-" }
        let body = Gzip.stored(Array("{\"event_id\":\"\(id)\"}\n".utf8)) + payload
        let head = """
            POST /api/1/envelope/ HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/x-sentry-envelope\r\n\
            Content-Encoding: gzip\r\nX-Sentry-Auth: Sentry sentry_key=\(key), sentry_version=7\r\nContent-Length: \(body.count)\r\n\r\n
            """
        return Array(head.utf8) + body
    }

    /// A connection to a port of this machine; negative if it fails.
    static func connect(to port: Int) -> Int32 {
        let connection = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        var one: Int32 = 1
        setsockopt(connection, Int32(IPPROTO_TCP), TCP_NODELAY, &one, 4)
        let connected = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(connection, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        return connected == 0 ? connection : -1
    }

    /// Sends a GET request and returns the status of the response.
    static func get(_ path: String, port: Int, token: String) -> Int? {
        let connection = connect(to: port)
        guard connection >= 0 else { return nil }
        defer { close(connection) }
        let request = Array("GET \(path) HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer \(token)\r\n\r\n".utf8)
        guard send(connection, request, request.count, Int32(MSG_NOSIGNAL)) == request.count else { return nil }
        return answer(connection)
    }

    /// Reads a whole response and returns its status.
    private static func answer(_ connection: Int32) -> Int? {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4_096)
        while true {
            let count = recv(connection, &buffer, buffer.count, 0)
            guard count > 0 else { return nil }
            bytes += buffer[..<count]
            guard let end = bytes.firstRange(of: [0x0D, 0x0A, 0x0D, 0x0A]) else { continue }
            let head = String(decoding: bytes[..<end.lowerBound], as: UTF8.self).lowercased()
            if head.contains("transfer-encoding: chunked") {
                if bytes.suffix(5) == [0x30, 0x0D, 0x0A, 0x0D, 0x0A] { return Int(head.dropFirst(9).prefix(3)) }
                continue
            }
            guard let range = head.firstRange(of: "content-length: "),
                let length = Int(head[range.upperBound...].prefix { $0.isNumber })
            else { return nil }
            if bytes.count >= end.upperBound + length { return Int(head.dropFirst(9).prefix(3)) }
        }
    }
}

/// Nanoseconds of the monotonic clock.
func now() -> UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
}
