import Foundation
import Glibc
import Synchronization
import WhorlTestSupport

/// A TCP proxy between a collector and its database that can delay, drop or cut the traffic.
final class FaultProxy: Sendable {
    enum Mode: Sendable {
        case pass
        /// Every received chunk is forwarded after this delay.
        case delay(milliseconds: UInt32)
        /// Nothing is forwarded any more, and connections stay open.
        case silent
        /// Every second chunk is forwarded in half, and then the connection is closed.
        case cut
    }

    let port: Int
    private let listener: Int32
    private let socketPath: String
    private let mode = Mutex(Mode.pass)
    private let open = Mutex<Set<Int32>>([])

    /// Listens on a free port and forwards connections to a Unix socket.
    init(to socketPath: String) throws {
        self.socketPath = socketPath
        listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let descriptor = listener
        let isBound = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, length) == 0 && listen(descriptor, 64) == 0
                    && getsockname(descriptor, $0, &length) == 0
            }
        }
        guard isBound else { throw TestFailure("the proxy cannot listen") }
        port = Int(UInt16(bigEndian: address.sin_port))
        Thread.detachNewThread { [self] in accept() }
    }

    /// Sets the mode for new and open connections.
    func set(_ mode: Mode) {
        self.mode.withLock { $0 = mode }
        if case .cut = mode { closeAllConnections() }
    }

    /// Shuts down every connection.
    func closeAllConnections() {
        for descriptor in open.withLock({ $0 }) { shutdown(descriptor, Int32(SHUT_RDWR)) }
    }

    func stop() {
        shutdown(listener, Int32(SHUT_RDWR))
        close(listener)
        closeAllConnections()
    }

    private func accept() {
        while true {
            let client = Glibc.accept(listener, nil, nil)
            guard client >= 0 else { return }
            let server = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
            var address = sockaddr_un()
            address.sun_family = sa_family_t(AF_UNIX)
            withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: Array(socketPath.utf8) + [0]) }
            let connected = withUnsafePointer(to: &address) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    connect(server, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
                }
            }
            guard connected == 0 else {
                close(client)
                close(server)
                continue
            }
            open.withLock { $0.formUnion([client, server]) }
            // The two directions shut each other down; the last one closes the sockets.
            let remaining = Counter(2)
            for (from, to) in [(client, server), (server, client)] {
                Thread.detachNewThread { [self] in
                    pump(from, to)
                    shutdown(from, Int32(SHUT_RDWR))
                    shutdown(to, Int32(SHUT_RDWR))
                    if remaining.decrement() == 0 {
                        open.withLock { $0.subtract([client, server]) }
                        close(client)
                        close(server)
                    }
                }
            }
        }
    }

    private func pump(_ from: Int32, _ to: Int32) {
        var buffer = [UInt8](repeating: 0, count: 16_384)
        var pieces = 0
        while true {
            let count = recv(from, &buffer, buffer.count, 0)
            guard count > 0 else { return }
            pieces += 1
            var length = count
            switch mode.withLock({ $0 }) {
            case .pass: break
            case .delay(let milliseconds): usleep(milliseconds * 1_000)
            case .silent: continue
            case .cut:
                if pieces % 2 == 0 { length = count / 2 }
            }
            var sent = 0
            while sent < length {
                let written = buffer[sent..<length]
                    .withUnsafeBytes { send(to, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
                guard written > 0 else { return }
                sent += written
            }
            if length < count { return }
        }
    }

    /// A countdown that threads share.
    private final class Counter: Sendable {
        private let value: Atomic<Int>
        init(_ value: Int) { self.value = Atomic(value) }
        func decrement() -> Int { value.subtract(1, ordering: .acquiringAndReleasing).newValue }
    }
}
