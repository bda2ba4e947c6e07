import Foundation
import Glibc
import Processes

/// Measures the memory of a collector that has many idle connections while it works.
enum Idle {
    static func run(_ executable: String, connections: Int) throws {
        var limit = rlimit()
        getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        limit.rlim_cur = limit.rlim_max
        guard limit.rlim_max > rlim_t(connections + 500),
            setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0
        else {
            FileHandle.standardError.write(Data("the limit of open files is too low for so many connections\n".utf8))
            exit(1)
        }
        let server = try Server(executable: executable, settings: ["WHORL_MAX_CONNECTIONS": "\(connections + 100)"])
        defer { server.stop() }
        let before = ProcessUsage.memory(server.process.processIdentifier)
        var open: [Int32] = []
        for number in 0..<connections {
            let connection = LoadGenerator.connect(to: server.port)
            guard connection >= 0 else { break }
            open.append(connection)
            // Every second connection has sent a request and is kept alive.
            if number % 2 == 0 {
                _ = "GET /livez HTTP/1.1\r\nHost: a\r\n\r\n"
                    .withCString { send(connection, $0, strlen($0), Int32(MSG_NOSIGNAL)) }
                var buffer = [UInt8](repeating: 0, count: 4_096)
                _ = recv(connection, &buffer, buffer.count, 0)
            }
        }
        let held = ProcessUsage.memory(server.process.processIdentifier)
        let row = try Row(Load.typical(), server, seconds: 5, warmUp: 2)
        print(
            """
            \(open.count) idle connections: resident \(before / 1_000_000) MB before, \(held / 1_000_000) MB with them, \
            \(row.peakMemory / 1_000_000) MB at most under load
            """
        )
        print(Row.table([row]))
        for connection in open { close(connection) }
        try Load.check([row])
    }
}
