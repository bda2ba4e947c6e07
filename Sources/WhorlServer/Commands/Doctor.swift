import ArgumentParser
import Foundation
import Glibc
import Logging
import WhorlPostgres
import WhorlProtocol

/// The command `whorl doctor`.
struct Doctor: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Checks configuration, database, migrations, data directory, free disk and clock; exit 1 on a fault."
    )

    @Flag(help: "Print one JSON object.")
    var json = false

    @OptionGroup var common: CommonOptions

    /// One finding: the check, whether it passed, and its result or how to fix the fault.
    private struct Finding {
        let check: String
        let isGood: Bool
        let text: String
    }

    func run() async throws {
        let findings = await examine()
        if json {
            let list = findings.map { finding -> JSON in
                ["check": .string(finding.check), "ok": .bool(finding.isGood), "detail": .string(finding.text)]
            }
            let object: JSON = ["ok": .bool(findings.allSatisfy(\.isGood)), "checks": .array(list)]
            print(object.text)
        } else {
            for finding in findings {
                print("\(finding.isGood ? "ok   " : "FAULT") \(finding.check): \(finding.text)")
            }
        }
        if !findings.allSatisfy(\.isGood) { throw Exit.failure }
    }

    private func examine() async -> [Finding] {
        var findings: [Finding] = []
        func add(_ check: String, _ isGood: Bool, _ text: String) {
            findings.append(Finding(check: check, isGood: isGood, text: text))
        }
        let settings: ServeSettings
        do {
            settings = try ServeSettings(common.source)
            add("configuration", true, "all settings are valid")
        } catch {
            add("configuration", false, "\(error)")
            return findings
        }
        let directory = settings.database.dataDirectory
        var access: DatabaseAccess?
        do {
            access = try await DatabaseAccess.open(settings.database, logger: common.logger())
            add("data directory", true, "\(directory) exists")
        } catch {
            add("database", false, "\(error)")
        }
        if access != nil || FileManager.default.fileExists(atPath: directory) {
            if Glibc.access(directory, W_OK) != 0 {
                add("data directory", false, "\(directory) cannot be written to: change its owner or WHORL_DATA_DIR")
            }
            findings.append(Self.disk(directory))
        }
        if let access {
            findings += await Self.database(access)
            await access.close()
        }
        return findings
    }

    /// The minimum free space: with less, a burst of events and the log of Postgres may fill the disk, which stops
    /// Postgres.
    private static let minFreeBytes = 1 << 30

    private static func disk(_ directory: String) -> Finding {
        var info = statvfs()
        guard statvfs(directory, &info) == 0 else {
            return Finding(check: "free disk", isGood: false, text: "the file system of \(directory) cannot be read")
        }
        let free = Int(info.f_bavail) * Int(info.f_frsize)
        let text = "\(free >> 20) MiB free below \(directory)"
        return free >= minFreeBytes
            ? Finding(check: "free disk", isGood: true, text: text)
            : Finding(check: "free disk", isGood: false, text: text + ": free at least \(minFreeBytes >> 20) MiB")
    }

    /// Checks the server settings that are necessary so that an acknowledged event survives a crash.
    private static func durability(_ connection: PostgresConnection) async throws -> [Finding] {
        let rows = try await connection.execute(
            PostgresStatement(
                "doctor",
                """
                SELECT current_setting('fsync') AS fsync, current_setting('full_page_writes') AS full_page_writes,
                    current_setting('synchronous_commit') AS synchronous_commit,
                    current_setting('synchronous_standby_names') AS standbys
                """
            ),
            deadline: .now + .seconds(5)
        )
        guard let row = rows.first else { return [] }
        var findings: [Finding] = []
        for (name, loss) in [
            ("fsync", "a crash of the machine can lose or damage everything"),
            ("full_page_writes", "a crash of the machine can damage pages"),
        ] {
            let value: String = try row.read(name)
            let isOn = value == "on"
            findings.append(
                Finding(check: name, isGood: isOn, text: isOn ? "on" : "\(value): \(loss); set it to on")
            )
        }
        let commit: String = try row.read("synchronous_commit")
        let isWeak = ["off", "local"].contains(commit)
        findings.append(
            Finding(
                check: "synchronous_commit",
                isGood: true,
                text: isWeak ? "\(commit) by default; the collector sets it to on for itself" : commit
            )
        )
        let standbys: String = try row.read("standbys")
        findings.append(
            Finding(
                check: "synchronous standby",
                isGood: true,
                text: standbys.isEmpty
                    ? "none: a failover may lose the newest events that were acknowledged" : "\(standbys)"
            )
        )
        return findings
    }

    private static func database(_ access: DatabaseAccess) async -> [Finding] {
        var findings: [Finding] = []
        let connection: PostgresConnection
        do {
            connection = try await PostgresConnection.connect(access.url, deadline: .now + .seconds(5))
        } catch {
            return [
                Finding(check: "database", isGood: false, text: "\(error); check DATABASE_URL and the server")
            ]
        }
        do {
            let rows = try await connection.execute(
                PostgresStatement("doctor", "SELECT version() AS version, clock_timestamp() AS time"),
                deadline: .now + .seconds(5)
            )
            let version = try rows.first?.read("version", as: String.self) ?? "unknown"
            findings.append(
                Finding(
                    check: "database",
                    isGood: true,
                    text: version.split(separator: ",").first.map(String.init) ?? ""
                )
            )
            if let time = try rows.first?.read("time", as: Date.self) {
                let difference = abs(time.timeIntervalSinceNow)
                // With a larger difference, events are treated as events from the future.
                findings.append(
                    difference < 60
                        ? Finding(check: "clock", isGood: true, text: "agrees with the clock of the database")
                        : Finding(
                            check: "clock",
                            isGood: false,
                            text: "differs from the clock of the database by \(Int(difference)) s: synchronise both"
                        )
                )
            }
            findings += try await durability(connection)
            let status = try await access.migrationStatus()
            findings.append(
                status.isCurrent
                    ? Finding(check: "migrations", isGood: true, text: "the schema is at \(status.applied)")
                    : Finding(
                        check: "migrations",
                        isGood: false,
                        text: "\(status.known - status.applied) pending: run whorl migrate, or start whorl serve"
                    )
            )
        } catch {
            findings.append(Finding(check: "database", isGood: false, text: "\(error)"))
        }
        await connection.close()
        return findings
    }
}
