import Foundation
import Glibc
import Processes

/// A collector with a private Postgres in its own folder, for the duration of the benchmark.
final class Server {
    struct Measure {
        let events: Int
        let collectorCPU: Double
        let postgresCPU: Double
        let disk: Int
        let wal: Int
    }

    let key = "b3d1c6a0f7e84a2f9c5d0e1f2a3b4c5d"
    let port: Int
    let process = Process()
    /// The number of events that were answered with 200 so far.
    var acknowledged = 0
    private let executable: String
    private let folder: String
    private var cluster: String { folder + "/postgres" }

    init(executable: String, settings: [String: String] = [:]) throws {
        self.executable = executable
        folder = "/tmp/whorl-bench-\(getpid())"
        try FileManager.default.createDirectory(
            atPath: folder,
            withIntermediateDirectories: true,
            attributes: [.posixPermissions: 0o755]
        )
        process.executableURL = URL(fileURLWithPath: executable)
        process.arguments = ["serve"]
        process.environment = [
            "PATH": "/usr/bin:/bin", "PORT": "0", "WHORL_DATA_DIR": folder, "WHORL_LOG_FORMAT": "json",
            "WHORL_LOG_LEVEL": "info",
            "WHORL_BOOTSTRAP_ORG": "bench", "WHORL_BOOTSTRAP_PROJECT": "bench", "WHORL_BOOTSTRAP_KEY": key,
        ]
        .merging(settings) { $1 }
        let errors = Pipe()
        process.standardError = errors
        try process.run()
        port = try Self.port(in: errors.fileHandleForReading)
        // The log then has one line per request; reading it keeps the pipe from filling up.
        Thread.detachNewThread {
            while !errors.fileHandleForReading.availableData.isEmpty {}
        }
    }

    /// Waits for the line `listening`, and returns its port.
    private static func port(in log: FileHandle) throws -> Int {
        var text = ""
        while true {
            let data = log.availableData
            guard !data.isEmpty else {
                FileHandle.standardError.write(Data("the collector did not start:\n\(text)\n".utf8))
                exit(1)
            }
            text += String(decoding: data, as: UTF8.self)
            if let range = text.firstRange(of: "\"server.address\":\"http://127.0.0.1:"),
                let port = Int(text[range.upperBound...].prefix { $0.isNumber })
            {
                return port
            }
        }
    }

    /// Measures after every acknowledged event is stored, also through the spool, or after 20 s.
    func measure() throws -> Measure {
        let deadline = now() + 20_000_000_000
        var measure = try read()
        while measure.events < acknowledged, now() < deadline {
            usleep(100_000)
            measure = try read()
        }
        return measure
    }

    /// The longest delay of a task on the collector's thread pool in the last minute, in seconds.
    func threadPoolDelay() throws -> Double {
        let text = try metrics()
        let line = text.split(separator: "\n").first { $0.hasPrefix("whorl_thread_pool_delay_seconds ") }
        guard let value = line?.split(separator: " ").last.flatMap({ Double($0) }) else {
            throw CocoaError(.coderInvalidValue)
        }
        return value
    }

    /// The response of `/metrics`, including the head.
    private func metrics() throws -> String {
        let connection = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard connection >= 0 else { throw POSIXError(.EMFILE) }
        defer { close(connection) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        let size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let status = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(connection, $0, size) }
        }
        guard status == 0 else { throw POSIXError(.ECONNREFUSED) }
        let request = Array("GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".utf8)
        guard send(connection, request, request.count, 0) == request.count else { throw POSIXError(.EPIPE) }
        var answer: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = recv(connection, &chunk, chunk.count, 0)
            guard count > 0 else { break }
            answer += chunk[..<count]
        }
        return String(decoding: answer, as: UTF8.self)
    }

    private func read() throws -> Measure {
        let numbers = try query(
            """
            SELECT count(*) || ' ' || pg_database_size(current_database()) || ' ' || pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')
            FROM event WHERE project_id = 1
            """
        )
        .split(separator: " ").compactMap { Int($0) }
        guard numbers.count == 3 else { throw CocoaError(.coderInvalidValue) }
        return Measure(
            events: numbers[0],
            collectorCPU: ProcessUsage.cpuSeconds(process.processIdentifier),
            postgresCPU: ProcessUsage.postgres(in: cluster).map(ProcessUsage.cpuSeconds).reduce(0, +),
            disk: numbers[1],
            wal: numbers[2]
        )
    }

    /// Runs a command of the program while the collector runs, and returns the last line of its output.
    func command(_ arguments: [String]) throws -> String {
        let output = try Self.output(of: executable, arguments, ["PATH": "/usr/bin:/bin", "WHORL_DATA_DIR": folder])
        return String(output.split(separator: "\n").last ?? "")
    }

    /// Runs SQL statements.
    func script(_ sql: String) throws { _ = try query(sql) }

    /// Runs a query; the columns of a row are separated by `|`.
    func query(_ sql: String) throws -> String {
        let pidFile = try String(contentsOfFile: cluster + "/postmaster.pid", encoding: .utf8)
        let sockets = String(pidFile.split(separator: "\n", omittingEmptySubsequences: false)[4])
        let file = folder + "/script.sql"
        try sql.write(toFile: file, atomically: true, encoding: .utf8)
        return try Self.output(
            of: "/usr/bin/psql",
            ["-h", sockets, "-U", "whorl", "-d", "whorl", "-v", "ON_ERROR_STOP=1", "-qAtf", file],
            nil
        )
    }

    private static func output(
        of program: String,
        _ arguments: [String],
        _ environment: [String: String]?
    ) throws -> String {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: program)
        process.arguments = arguments
        if let environment { process.environment = environment }
        let output = Pipe()
        process.standardOutput = output
        try process.run()
        let data = try output.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            FileHandle.standardError.write(Data("\(program) failed\n".utf8))
            throw CocoaError(.executableLoad)
        }
        return String(decoding: data, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
    }

    func stop() {
        process.terminate()
        process.waitUntilExit()
        try? FileManager.default.removeItem(atPath: folder)
    }
}
