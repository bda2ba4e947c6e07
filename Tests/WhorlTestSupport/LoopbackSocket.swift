import Glibc

/// A TCP connection to a port of this machine, as a file descriptor.
package enum LoopbackSocket {
    /// The descriptor of a new connection; the caller closes it.
    ///
    /// `source` is the address that the peer sees, one of 127.0.0.0/8.
    /// `receiveBuffer` is the size of the kernel's receive buffer in bytes, which bounds how much unread data it holds.
    /// Without it the kernel chooses the size.
    package static func connect(
        port: Int,
        from source: String = "127.0.0.1",
        receiveBuffer: Int32? = nil
    ) throws -> Int32 {
        let connection = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard connection >= 0 else { throw TestFailure("no socket") }
        if var size = receiveBuffer {
            setsockopt(connection, SOL_SOCKET, SO_RCVBUF, &size, socklen_t(MemoryLayout<Int32>.size))
        }
        var own = sockaddr_in()
        own.sin_family = sa_family_t(AF_INET)
        own.sin_addr.s_addr = inet_addr(source)
        let isBound =
            source == "127.0.0.1"
            ? 0
            : withUnsafePointer(to: &own) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    bind(connection, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
                }
            }
        guard isBound == 0 else {
            close(connection)
            throw TestFailure("no address \(source)")
        }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        let connected = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(connection, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard connected == 0 else {
            close(connection)
            throw TestFailure("no connection to port \(port)")
        }
        return connection
    }

    /// A port that is free at this moment, for programs that cannot choose one themselves.
    package static func freePort() throws -> Int {
        let connection = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(connection) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        return try withUnsafeMutablePointer(to: &address) {
            try $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                guard bind(connection, $0, size) == 0, getsockname(connection, $0, &size) == 0 else {
                    throw TestFailure("no free port")
                }
                return Int(UInt16(bigEndian: UnsafeRawPointer($0).loadUnaligned(as: sockaddr_in.self).sin_port))
            }
        }
    }
}
