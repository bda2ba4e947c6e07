import Foundation
import Glibc

/// A small HTTP server that records the bodies posted to it, for webhook tests.
package final class WebhookReceiver: @unchecked Sendable {
    package let port: Int
    private let listener: Int32
    // Guarded by `lock`.
    private var received: [String] = []
    private let lock = NSLock()

    package init() throws {
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let bound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(listener, $0, size) == 0 && listen(listener, 16) == 0 && getsockname(listener, $0, &size) == 0
            }
        }
        guard bound else { throw TestFailure("no port for the webhook") }
        self.listener = listener
        port = Int(UInt16(bigEndian: address.sin_port))
        Thread.detachNewThread { [self] in serve() }
    }

    /// The bodies received so far.
    package var bodies: [String] { lock.withLock { received } }

    package func stop() { shutdown(listener, Int32(SHUT_RDWR)) }

    private func serve() {
        while true {
            let connection = accept(listener, nil, nil)
            if connection < 0 { break }
            if let body = read(connection) { lock.withLock { received.append(body) } }
            let answer = Array("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".utf8)
            _ = Glibc.send(connection, answer, answer.count, Int32(MSG_NOSIGNAL))
            close(connection)
        }
        close(listener)
    }

    private func read(_ connection: Int32) -> String? {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            if let end = bytes.firstRange(of: [0x0D, 0x0A, 0x0D, 0x0A]) {
                let head = String(decoding: bytes[..<end.lowerBound], as: UTF8.self).lowercased()
                let length = head.components(separatedBy: "content-length: ").dropFirst().first
                    .flatMap {
                        Int($0.prefix { $0.isNumber })
                    }
                if bytes.count - end.upperBound >= length ?? 0 {
                    return String(decoding: bytes[end.upperBound...], as: UTF8.self)
                }
            }
            let count = recv(connection, &buffer, buffer.count, 0)
            if count <= 0 { return nil }
            bytes += buffer[..<count]
        }
    }
}

/// A port of this machine that is free at this moment, for programs that cannot choose one themselves.
package func freePort() throws -> Int {
    let receiver = try WebhookReceiver()
    defer { receiver.stop() }
    return receiver.port
}
