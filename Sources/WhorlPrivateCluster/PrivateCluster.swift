import Foundation
import Glibc
import WhorlPostgres

/// A Postgres of our own, made from the system's binaries, for people who have none.
///
/// It listens on a Unix socket only and lives in a session of its own, so that Ctrl-C in a terminal does not reach it
/// before us. Three locks of the data directory, which hold in every container that shares it, keep it whole:
/// - the start lock is held while the server is started or stopped;
/// - everybody who uses the server holds the use lock, shared; the last one to leave stops the server;
/// - the server's own processes hold the life lock, so that a server that runs is known by it even where its process
///   number means nothing. After a `kill -9` of a user it runs on, and the next start finds and uses it.
package final class PrivateCluster: Sendable {
    /// Where the cluster's files lie.
    package let directory: String
    /// Whether ``directory`` is not below the data directory, because Postgres' user cannot reach that.
    package let isElsewhere: Bool
    /// Where the server writes its log.
    package var logFile: String { directory + ".log" }

    private let binaries: String
    private let sockets: String
    private let asPostgres: [String]
    private let startLock: FileLock
    private let useLock: FileLock
    private let lifeLockPath: String

    /// The URL under which the cluster's database is reached.
    package var url: String {
        let host = sockets.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? sockets
        return "postgresql://whorl@/whorl?host=\(host)"
    }

    /// Finds binaries and places; nothing is started yet.
    ///
    /// The data directory must exist.
    package static func locate(dataDirectory: String) async throws -> PrivateCluster {
        let data = URL(fileURLWithPath: dataDirectory).standardizedFileURL.resolvingSymlinksInPath().path
        let isRoot = geteuid() == 0
        var directory = data + "/postgres"
        var isElsewhere = false
        if isRoot {
            guard getpwnam("postgres") != nil else {
                throw PostgresError(.other, "there is no user postgres; install the package postgresql")
            }
            if try await !isReachable(data) {
                try makeDirectory("/var/lib/whorl", mode: 0o755)
                directory = "/var/lib/whorl/" + pathHash(data)
                isElsewhere = true
            }
        }
        return try PrivateCluster(
            directory: directory,
            isElsewhere: isElsewhere,
            binaries: findBinaries(for: directory),
            sockets: socketDirectory(for: directory, isRoot: isRoot),
            asPostgres: isRoot
                ? ["/usr/bin/setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", "--"] : [],
            locks: data
        )
    }

    private init(
        directory: String,
        isElsewhere: Bool,
        binaries: String,
        sockets: String,
        asPostgres: [String],
        locks: String
    ) throws {
        self.directory = directory
        self.isElsewhere = isElsewhere
        self.binaries = binaries
        self.sockets = sockets
        self.asPostgres = asPostgres
        startLock = try FileLock(path: locks + "/postgres-start.lock")
        useLock = try FileLock(path: locks + "/postgres-use.lock")
        lifeLockPath = locks + "/postgres-life.lock"
    }

    // MARK: - Life

    /// Makes the cluster if it is not there, starts it if it does not run, and waits until it answers.
    package func start(deadline: ContinuousClock.Instant) async throws {
        try await startLock.lock(.exclusive, deadline: deadline)
        defer { startLock.unlock() }
        // Held before anything is started: while another user holds it, nobody else starts a server.
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
            try await awaitReaping(deadline: min(deadline, .now + Self.reapingPatience))
            let lifeLock = try heldLifeLock()
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
            // To be closed only now.
            withExtendedLifetime(lifeLock) {}
            guard outcome.status == 0 else {
                throw PostgresError(.other, "the private Postgres did not start; see \(logFile)")
            }
        }
        do {
            try await awaitAnswer(deadline: isAlive ? min(deadline, .now + Self.foreignPatience) : deadline)
        } catch let error as PostgresError where isAlive && error.code == .deadline {
            throw PostgresError(
                .other,
                "a Postgres runs on \(directory), but does not answer here: it may belong to another container. Stop it "
                    + "there, or give each whorl its own WHORL_DATA_DIR"
            )
        }
        // From exclusive to shared; the start lock keeps everybody else away in between.
        useLock.unlock()
        try await useLock.lock(.shared, deadline: deadline)
        isInUse = true
    }

    /// How long the process of a server that was killed may stay in the list of processes.
    private static let reapingPatience = Duration.seconds(10)

    /// Waits until the process of the server before is gone from the list: as long as it stands there, though dead,
    /// Postgres takes it for running and does not start.
    private func awaitReaping(deadline: ContinuousClock.Instant) async throws {
        while let processID, ProcessStart(of: processID)?.isZombie == true, ContinuousClock.now < deadline {
            try await Task.sleep(for: .milliseconds(20))
        }
    }

    /// How long a server that runs already may take to answer, its recovery after a crash included.
    private static let foreignPatience = Duration.seconds(30)

    /// The life lock, held: the server inherits its descriptor.
    ///
    /// Once ours is closed, it is held for as long as one of the server's processes lives.
    private func heldLifeLock() throws -> FileLock {
        let lock = try FileLock(path: lifeLockPath)
        guard lock.tryLock(.exclusive) else {
            throw PostgresError(.other, "a Postgres that is ending still holds \(directory); try again")
        }
        return lock
    }

    /// An eighth of the memory, as the pages of a day's busy issues should stay in it; 128 MB, as usual, at least.
    private static var sharedBuffersMegabytes: Int {
        let memory = sysconf(Int32(_SC_PHYS_PAGES)) * sysconf(Int32(_SC_PAGESIZE)) / (1 << 20)
        return min(max(memory / 8, 128), 1_024)
    }

    /// Stops the server, unless another process uses it; the one that leaves last stops it.
    package func stop(deadline: ContinuousClock.Instant) async throws {
        try await startLock.lock(.exclusive, deadline: deadline)
        defer { startLock.unlock() }
        useLock.unlock()
        guard useLock.tryLock(.exclusive) else { return }
        defer { useLock.unlock() }
        _ = try await run("pg_ctl", ["-D", directory, "-m", "fast", "-w", "-t", "30", "-s", "stop"])
        // Made anew by the next start; nobody else would ever remove it.
        if !isRunning { try? FileManager.default.removeItem(atPath: sockets) }
    }

    /// Whether a server runs on the directory: one of its processes holds the life lock, here or in another container, or
    /// its process, told by its number and the time it started, lives here.
    ///
    /// What cannot be found out counts as running: two servers on one directory would destroy it. Postgres' own lock file is
    /// never removed; Postgres judges that itself.
    package var isRunning: Bool {
        if let probe = try? FileLock(path: lifeLockPath), !probe.tryLock(.exclusive) { return true }
        return processIsServer
    }

    /// Whether the process of Postgres' lock file lives and is the one that wrote it.
    private var processIsServer: Bool {
        guard let processID, processID > 0 else { return false }
        guard kill(processID, 0) == 0 || errno == EPERM else { return false }
        guard let process = ProcessStart(of: processID), let startedAt else { return true }
        if process.isZombie { return false }
        // Postgres writes the moment down a little after its start, in whole seconds.
        return abs(process.startedAt - startedAt) < 15
    }

    /// When the server started, by its own word, in seconds of Unix time.
    private var startedAt: Double? {
        guard let text = try? String(contentsOfFile: directory + "/postmaster.pid", encoding: .utf8) else { return nil }
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        return lines.count > 2 ? Double(lines[2]) : nil
    }

    /// The server's process id as it last wrote it down.
    package var processID: Int32? {
        guard let text = try? String(contentsOfFile: directory + "/postmaster.pid", encoding: .utf8),
            let line = text.split(separator: "\n").first
        else { return nil }
        return Int32(line)
    }

    // MARK: - Steps

    /// Removes what killed starts left, as far as it lets itself be removed; the next start tries the rest.
    private func removeUnfinished() {
        let place = URL(fileURLWithPath: directory)
        let prefix = place.lastPathComponent + ".new-"
        let parent = place.deletingLastPathComponent().path
        for name in (try? FileManager.default.contentsOfDirectory(atPath: parent)) ?? [] where name.hasPrefix(prefix) {
            try? FileManager.default.removeItem(atPath: parent + "/" + name)
        }
    }

    /// Makes the cluster under another name and renames it when it is complete: a start that is killed half-way leaves
    /// nothing that looks like a cluster.
    private func create() async throws {
        removeUnfinished()
        // A name of its own: the initdb of a start that was killed may still be at work on its own.
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
            throw PostgresError(.other, "\(directory) cannot be made: \(String(cString: strerror(errno)))")
        }
    }

    /// The log lies beside the cluster's directory, where Postgres' user may not create files itself.
    private func prepareLogFile() throws {
        guard !asPostgres.isEmpty, !FileManager.default.fileExists(atPath: logFile) else { return }
        guard FileManager.default.createFile(atPath: logFile, contents: nil, attributes: [.posixPermissions: 0o600])
        else { throw PostgresError(.other, "\(logFile) cannot be made") }
        try Self.giveToPostgres(logFile)
    }

    private func awaitAnswer(deadline: ContinuousClock.Instant) async throws {
        // The database is made on the first start; `postgres` is there from the beginning.
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
            throw PostgresError(.other, "the socket directory \(sockets) has too long a path")
        }
        if !asPostgres.isEmpty { try Self.makeDirectory("/run/whorl", mode: 0o755) }
        try Self.makeDirectory(sockets, mode: 0o700)
        if !asPostgres.isEmpty { try Self.giveToPostgres(sockets) }
        // The place may lie in /tmp: somebody else's directory there is not trusted.
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

    /// Replaces the contents and keeps the file, and with it its owner.
    private func replace(_ path: String, _ text: String) throws {
        let handle = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
        try handle.truncate(atOffset: 0)
        try handle.write(contentsOf: Data(text.utf8))
        try handle.synchronize()
        try handle.close()
    }

    // MARK: - Places

    private static func isReachable(_ path: String) async throws -> Bool {
        try await SystemCommand(
            path: "/usr/bin/setpriv",
            arguments: ["--reuid=postgres", "--regid=postgres", "--init-groups", "--", "/usr/bin/test", "-x", path]
        )
        .run().status == 0
    }

    /// The newest installed Postgres, or the one that fits a cluster that is already there.
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
                "the private cluster in \(directory) was made by Postgres \(version), but \(newest) is installed: "
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
            // `mkdir` obeys the umask, which may close a directory that Postgres' user has to pass.
            chmod(path, mode)
        } else if errno != EEXIST {
            throw PostgresError(.other, "\(path) cannot be made: \(String(cString: strerror(errno)))")
        }
    }

    private static func giveToPostgres(_ path: String) throws {
        guard let user = getpwnam("postgres"), lchown(path, user.pointee.pw_uid, user.pointee.pw_gid) == 0 else {
            throw PostgresError(.other, "\(path) cannot be given to the user postgres")
        }
    }

    private static func userName() -> String {
        guard let user = getpwuid(geteuid()) else { return "root" }
        return String(cString: user.pointee.pw_name)
    }

    /// Sixteen hexadecimal digits of FNV-1a: a short name for a place, not a secret.
    private static func pathHash(_ path: String) -> String {
        let digits = String(fnv1a(path), radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}
