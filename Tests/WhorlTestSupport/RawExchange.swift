import Foundation
import Glibc

/// The data received on one connection: every response, and whether the server closed the connection.
package struct RawExchange: Sendable {
    package let answers: [TestAnswer]
    package let received: [UInt8]
    package let isClosed: Bool
    package let duration: Duration

    /// Sends bytes to a port of this machine and collects the responses.
    ///
    /// It stops when the server closes the connection, when nothing arrives for `quiet` seconds after a response, or
    /// after `limit` seconds.
    package static func run(
        port: Int,
        _ bytes: [UInt8],
        then: HostileCase.Then,
        quiet: Double = 0.3,
        limit: Double
    ) async throws -> RawExchange {
        try await withCheckedThrowingContinuation { done in
            Thread.detachNewThread {
                done.resume(with: Result { try exchange(port, bytes, then, quiet, limit) })
            }
        }
    }

    private static func exchange(
        _ port: Int,
        _ bytes: [UInt8],
        _ then: HostileCase.Then,
        _ quiet: Double,
        _ limit: Double
    ) throws -> RawExchange {
        let start = ContinuousClock.now
        let connection = try LoopbackSocket.connect(port: port)
        defer { close(connection) }
        _ = fcntl(connection, F_SETFL, O_NONBLOCK)
        let deadline = start + .seconds(limit)
        var sent = 0
        var received: [UInt8] = []
        var isClosed = false
        var hasFinished = false
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while !isClosed, ContinuousClock.now < deadline {
            if sent == bytes.count, !hasFinished {
                hasFinished = true
                if then == .halfClose { shutdown(connection, Int32(SHUT_WR)) }
                if then == .reset {
                    var linger = linger(l_onoff: 1, l_linger: 0)
                    setsockopt(connection, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout<linger>.size))
                    break
                }
            }
            var poller = pollfd(fd: connection, events: Int16(POLLIN), revents: 0)
            if sent < bytes.count { poller.events |= Int16(POLLOUT) }
            let wait = hasFinished && !received.isEmpty ? quiet : 0.5
            let ready = poll(&poller, 1, Int32(wait * 1_000))
            if ready == 0 {
                if hasFinished, !received.isEmpty, then != .stall { break }
                continue
            }
            if poller.revents & Int16(POLLOUT) != 0 {
                let count = bytes[sent...]
                    .withUnsafeBytes { send(connection, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
                // A server can respond and close the connection before it has read everything.
                if count > 0 { sent += count } else if count < 0, errno != EAGAIN { sent = bytes.count }
            }
            if poller.revents & Int16(POLLIN | POLLHUP | POLLERR) != 0 {
                let count = recv(connection, &buffer, buffer.count, 0)
                if count > 0 {
                    received += buffer[..<count]
                } else if count == 0 || errno != EAGAIN {
                    isClosed = true
                }
            }
        }
        return RawExchange(
            answers: TestAnswer.all(in: received, hasBodies: !bytes.starts(with: "HEAD ".utf8)),
            received: received,
            isClosed: isClosed,
            duration: start.duration(to: .now)
        )
    }
}
