import Foundation
import Glibc
import WhorlPostgres

/// A private Postgres server, created with the system's binaries, for users who have no Postgres.
///
/// It listens on a Unix socket only and runs in its own session, so that Ctrl-C in a terminal does not reach it before
/// the collector. Three locks in the data directory protect it, also between containers that share the directory:
/// - the start lock is held while the server is started or stopped;
/// - every process that uses the server holds the use lock, shared; the last one to leave stops the server;
/// - the server's own processes hold the life lock, so that a running server is detected even where its process
///   id is meaningless. After a `kill -9` of a user the server keeps running, and the next start finds and uses it.
package final class PrivateCluster: Sendable {
    /// The directory of the cluster's files.
    package let directory: String
    /// Whether ``directory`` is outside of the data directory, because the user postgres cannot access that.
    package let isOutsideDataDirectory: Bool
    /// The server's log file.
    package var logFile: String { directory + ".log" }

    private let binaries: String
    private let sockets: String
    private let asPostgres: [String]
    private let startLock: FileLock
    private let useLock: FileLock
    private let serverLockPath: String

    /// The URL of the cluster's database.
    package var url: String {
        let host = sockets.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? sockets
        return "postgresql://whorl@/whorl?host=\(host)"
    }

    /// Finds binaries and directories without starting anything.
    ///
    /// The data directory must exist.
    package static func locate(dataDirectory: String) async throws -> PrivateCluster {
        let data = URL(fileURLWithPath: dataDirectory).standardizedFileURL.resolvingSymlinksInPath().path
        let isRoot = geteuid() == 0
        var directory = data + "/postgres"
        var isOutsideDataDirectory = false
        if isRoot {
            guard getpwnam("postgres") != nil else {
                throw PostgresError(.other, "there is no user postgres; install the package postgresql")
            }
            if try await !isReachable(data) {
                try makeDirectory("/var/lib/whorl", mode: 0o755)
                directory = "/var/lib/whorl/" + pathHash(data)
                isOutsideDataDirectory = true
            }
        }
        return try PrivateCluster(
            directory: directory,
            isOutsideDataDirectory: isOutsideDataDirectory,
            binaries: findBinaries(for: directory),
            sockets: socketDirectory(for: directory, isRoot: isRoot),
            asPostgres: isRoot
                ? ["/usr/bin/setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", "--"] : [],
            locks: data
        )
    }

    private init(
        directory: String,
        isOutsideDataDirectory: Bool,
        binaries: String,
        sockets: String,
        asPostgres: [String],
        locks: String
    ) throws {
        self.directory = directory
        self.isOutsideDataDirectory = isOutsideDataDirectory
        self.binaries = binaries
        self.sockets = sockets
        self.asPostgres = asPostgres
        startLock = try FileLock(path: locks + "/postgres-start.lock")
        useLock = try FileLock(path: locks + "/postgres-use.lock")
        serverLockPath = locks + "/postgres-life.lock"
    }

    // MARK: - Lifecycle

    /// Creates the cluster if it does not exist, starts it if it is not running, and waits until it answers.
    package func start(deadline: ContinuousClock.Instant) async throws {
        try await startLock.lock(.exclusive, deadline: deadline)
        defer { startLock.unlock() }
        // Taken before anything is started: while a process uses the server, no other process starts one.
        let isAlone = useLock.tryLock(.exclusive)
        var isInUse = false
        defer { if isAlone, !isInUse { useLock.unlock() } }
        try prepareSocketDirectory()
        if !FileManager.default.fileExists(atPath: directory + "/PG_VERSION") { try await create() }
        let isAlive = isRunning
        if !isAlive, !isAlone {
            throw PostgresError(
                .other,
                "another whorl uses the private Postgres of this data directory, perhaps in another container: give each "
                    + "its own WHORL_DATA_DIR, or set DATABASE_URL"
            )
        }
        if !isAlive {
            try prepareLogFile()
            try await awaitReaping(deadline: min(deadline, .now + Self.reapingTimeout))
            let lifeLock = try takeServerLock()
            let options = [
                "listen_addresses=", "unix_socket_directories=\(sockets)", "max_connections=60", "jit=off",
                "log_checkpoints=off", "max_wal_size=2GB", "checkpoint_timeout=15min", "cluster_name=whorl",
                "shared_buffers=\(Self.sharedBuffersMegabytes)MB",
            ]
            let outcome = try await run(
                "pg_ctl",
                ["-D", directory, "-l", logFile, "-w", "-t", "60", "-s"]
                    + ["-o", options.map { "-c \($0)" }.joined(separator: " "), "start"],
                kept: lifeLock.descriptor
            )
            // The lock must stay open until here, so that the server inherits it.
            withExtendedLifetime(lifeLock) {}
            guard outcome.status == 0 else {
                throw PostgresError(.other, "the private Postgres did not start; see \(logFile)")
            }
        }
        do {
            try await awaitAnswer(deadline: isAlive ? min(deadline, .now + Self.answerTimeout) : deadline)
        } catch let error as PostgresError where isAlive && error.code == .deadline {
            throw PostgresError(
                .other,
                "a Postgres runs on \(directory), but does not answer here: it may belong to another container. Stop it "
                    + "there, or give each whorl its own WHORL_DATA_DIR"
            )
        }
        // Changes from exclusive to shared; meanwhile the start lock excludes all other processes.
        useLock.unlock()
        try await useLock.lock(.shared, deadline: deadline)
        isInUse = true
    }

    /// The time that a killed server's process may remain in the list of processes.
    private static let reapingTimeout = Duration.seconds(10)

    /// Waits until the previous server's process has left the list of processes.
    ///
    /// As long as a dead process is listed, Postgres takes it for running and does not start.
    private func awaitReaping(deadline: ContinuousClock.Instant) async throws {
        while let processID, ProcessStart(of: processID)?.isZombie == true, ContinuousClock.now < deadline {
            try await Task.sleep(for: .milliseconds(20))
        }
    }

    /// The time limit for a running server to answer, including its recovery after a crash.
    private static let answerTimeout = Duration.seconds(30)

    /// The life lock, taken; the server inherits its descriptor.
    ///
    /// After this process closes the descriptor, the lock is held as long as one of the server's processes lives.
    private func takeServerLock() throws -> FileLock {
        let lock = try FileLock(path: serverLockPath)
        guard lock.tryLock(.exclusive) else {
            throw PostgresError(.other, "a Postgres that is shutting down still uses \(directory); try again")
        }
        return lock
    }

    /// An eighth of the memory, so that the pages of a day's busy issues fit, but at least 128 MB, the usual size, and
    /// at most 1 GB.
    private static var sharedBuffersMegabytes: Int {
        let memory = sysconf(Int32(_SC_PHYS_PAGES)) * sysconf(Int32(_SC_PAGESIZE)) / (1 << 20)
        return min(max(memory / 8, 128), 1_024)
    }

    /// Stops the server, unless another process uses it.
    package func stop(deadline: ContinuousClock.Instant) async throws {
        try await startLock.lock(.exclusive, deadline: deadline)
        defer { startLock.unlock() }
        useLock.unlock()
        guard useLock.tryLock(.exclusive) else { return }
        defer { useLock.unlock() }
        _ = try await run("pg_ctl", ["-D", directory, "-m", "fast", "-w", "-t", "30", "-s", "stop"])
        // The next start creates it again; nothing else would remove it.
        if !isRunning { try? FileManager.default.removeItem(atPath: sockets) }
    }

    /// Whether a server runs on the directory.
    ///
    /// That is the case when one of its processes holds the life lock, here or in another container, or when the
    /// process with its recorded id and start time is alive here. An unknown state counts as running, because two
    /// servers on one directory would destroy it. Postgres' own lock file is never removed; Postgres evaluates it
    /// itself.
    package var isRunning: Bool {
        if let probe = try? FileLock(path: serverLockPath), !probe.tryLock(.exclusive) { return true }
        return processIsServer
    }

    /// Whether the process in Postgres' lock file is alive and is the one that wrote the file.
    private var processIsServer: Bool {
        guard let processID, processID > 0 else { return false }
        guard kill(processID, 0) == 0 || errno == EPERM else { return false }
        guard let process = ProcessStart(of: processID), let startedAt else { return true }
        if process.isZombie { return false }
        // Postgres records the time shortly after its start, in whole seconds.
        return abs(process.startedAt - startedAt) < 15
    }

    /// The start time that the server recorded, in seconds of Unix time.
    private var startedAt: Double? {
        guard let text = try? String(contentsOfFile: directory + "/postmaster.pid", encoding: .utf8) else { return nil }
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        return lines.count > 2 ? Double(lines[2]) : nil
    }

    /// The process id that the server last recorded.
    package var processID: Int32? {
        guard let text = try? String(contentsOfFile: directory + "/postmaster.pid", encoding: .utf8),
            let line = text.split(separator: "\n").first
        else { return nil }
        return Int32(line)
    }

    // MARK: - Steps

    /// Removes the remains of killed starts as far as possible; the next start tries to remove the rest.
    private func removeUnfinished() {
        let place = URL(fileURLWithPath: directory)
        let prefix = place.lastPathComponent + ".new-"
        let parent = place.deletingLastPathComponent().path
        for name in (try? FileManager.default.contentsOfDirectory(atPath: parent)) ?? [] where name.hasPrefix(prefix) {
            try? FileManager.default.removeItem(atPath: parent + "/" + name)
        }
    }

    /// Creates the cluster under another name and renames it when it is complete, so that a start that is killed leaves
    /// nothing that looks like a cluster.
    private func create() async throws {
        removeUnfinished()
        // The name is unique, because the initdb of a killed start may still be running.
        let unfinished = directory + ".new-\(getpid())"
        try Self.makeDirectory(unfinished, mode: 0o700)
        if !asPostgres.isEmpty { try Self.giveToPostgres(unfinished) }
        let outcome = try await run(
            "initdb",
            ["-D", unfinished, "-U", "whorl", "-A", "peer", "-E", "UTF8", "--locale=C.UTF-8", "--data-checksums"]
        )
        guard outcome.status == 0 else {
            throw PostgresError(.other, "initdb failed: \(outcome.output.suffix(400))")
        }
        try append(to: unfinished + "/pg_ident.conf", "\nwhorl \(Self.userName()) whorl\nwhorl postgres whorl\n")
        try replace(unfinished + "/pg_hba.conf", "local all whorl peer map=whorl\n")
        guard rename(unfinished, directory) == 0 else {
            throw PostgresError(.other, "\(directory) cannot be created: \(String(cString: strerror(errno)))")
        }
    }

    /// Creates the log file, which is beside the cluster's directory, where the user postgres may not create files.
    private func prepareLogFile() throws {
        guard !asPostgres.isEmpty, !FileManager.default.fileExists(atPath: logFile) else { return }
        guard FileManager.default.createFile(atPath: logFile, contents: nil, attributes: [.posixPermissions: 0o600])
        else { throw PostgresError(.other, "\(logFile) cannot be created") }
        try Self.giveToPostgres(logFile)
    }

    private func awaitAnswer(deadline: ContinuousClock.Instant) async throws {
        // The database is created on the first start; `postgres` always exists.
        let maintenance = url.replacingOccurrences(of: "@/whorl?", with: "@/postgres?")
        while true {
            do {
                let limit = min(deadline, ContinuousClock.now + .seconds(2))
                let connection = try await PostgresConnection.connect(maintenance, deadline: limit)
                let found = try await connection.script(
                    "SELECT 1 FROM pg_database WHERE datname = 'whorl'",
                    deadline: limit
                )
                if found.isEmpty { try await connection.script("CREATE DATABASE whorl", deadline: deadline) }
                await connection.close()
                return
            } catch {
                guard ContinuousClock.now < deadline else {
                    throw PostgresError(.deadline, "the private Postgres does not answer; see \(logFile)")
                }
                try await Task.sleep(for: .milliseconds(50))
            }
        }
    }

    private func prepareSocketDirectory() throws {
        guard sockets.utf8.count <= 80 else {
            throw PostgresError(.other, "the path of the socket directory is too long: \(sockets)")
        }
        if !asPostgres.isEmpty { try Self.makeDirectory("/run/whorl", mode: 0o755) }
        try Self.makeDirectory(sockets, mode: 0o700)
        if !asPostgres.isEmpty { try Self.giveToPostgres(sockets) }
        // The directory may be in /tmp, where a directory of another user is not trusted.
        var info = stat()
        let owner = asPostgres.isEmpty ? geteuid() : (getpwnam("postgres")?.pointee.pw_uid ?? geteuid())
        guard lstat(sockets, &info) == 0, info.st_mode & S_IFMT == S_IFDIR, info.st_uid == owner else {
            throw PostgresError(.other, "\(sockets) belongs to another user; remove it")
        }
    }

    private func run(
        _ tool: String,
        _ arguments: [String],
        kept: Int32 = -1
    ) async throws -> SystemCommand.Outcome {
        var line = asPostgres + [binaries + "/" + tool] + arguments
        let program = line.removeFirst()
        return try await SystemCommand(path: program, arguments: line, kept: kept).run()
    }

    private func append(to path: String, _ text: String) throws {
        let handle = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
        try handle.seekToEnd()
        try handle.write(contentsOf: Data(text.utf8))
        try handle.synchronize()
        try handle.close()
    }

    /// Replaces the contents of a file but keeps the file and its owner.
    private func replace(_ path: String, _ text: String) throws {
        let handle = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
        try handle.truncate(atOffset: 0)
        try handle.write(contentsOf: Data(text.utf8))
        try handle.synchronize()
        try handle.close()
    }

    // MARK: - Paths

    private static func isReachable(_ path: String) async throws -> Bool {
        try await SystemCommand(
            path: "/usr/bin/setpriv",
            arguments: ["--reuid=postgres", "--regid=postgres", "--init-groups", "--", "/usr/bin/test", "-x", path]
        )
        .run().status == 0
    }

    /// The newest installed Postgres, or the version that an existing cluster needs.
    private static func findBinaries(for directory: String) throws -> String {
        let base = "/usr/lib/postgresql"
        let installed = ((try? FileManager.default.contentsOfDirectory(atPath: base)) ?? [])
            .filter { FileManager.default.isExecutableFile(atPath: "\(base)/\($0)/bin/initdb") }
            .sorted { (Int($0) ?? 0) < (Int($1) ?? 0) }
        guard let newest = installed.last else {
            throw PostgresError(.other, "no Postgres server is installed; run: apt-get install postgresql")
        }
        let versionFile = try? String(contentsOfFile: directory + "/PG_VERSION", encoding: .utf8)
        guard let version = versionFile?.trimmingCharacters(in: .whitespacesAndNewlines) else {
            return "\(base)/\(newest)/bin"
        }
        guard installed.contains(version) else {
            throw PostgresError(
                .other,
                "the private cluster in \(directory) was created by Postgres \(version), but \(newest) is installed: "
                    + "install postgresql-\(version), or move the data with pg_upgrade or a dump"
            )
        }
        return "\(base)/\(version)/bin"
    }

    private static func socketDirectory(for directory: String, isRoot: Bool) -> String {
        if isRoot { return "/run/whorl/" + pathHash(directory) }
        if let runtime = ProcessInfo.processInfo.environment["XDG_RUNTIME_DIR"], runtime.utf8.count < 50 {
            return runtime + "/whorl-" + pathHash(directory)
        }
        return "/tmp/whorl-\(geteuid())-" + pathHash(directory)
    }

    private static func makeDirectory(_ path: String, mode: mode_t) throws {
        if mkdir(path, mode) == 0 {
            // `mkdir` applies the umask, which may deny access to the user postgres.
            chmod(path, mode)
        } else if errno != EEXIST {
            throw PostgresError(.other, "\(path) cannot be created: \(String(cString: strerror(errno)))")
        }
    }

    private static func giveToPostgres(_ path: String) throws {
        guard let user = getpwnam("postgres"), lchown(path, user.pointee.pw_uid, user.pointee.pw_gid) == 0 else {
            throw PostgresError(.other, "the owner of \(path) cannot be changed to the user postgres")
        }
    }

    private static func userName() -> String {
        guard let user = getpwuid(geteuid()) else { return "root" }
        return String(cString: user.pointee.pw_name)
    }

    /// Sixteen hexadecimal digits of FNV-1a: a short name for a path, not a secret.
    private static func pathHash(_ path: String) -> String {
        let digits = String(fnv1a(path), radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}
