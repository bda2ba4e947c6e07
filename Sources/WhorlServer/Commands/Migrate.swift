import ArgumentParser

/// The command `whorl migrate`.
struct Migrate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Applies pending migrations and exits.")

    @OptionGroup var common: CommonOptions

    func run() async throws {
        try await runCommand {
            let access = try await DatabaseAccess.open(DatabaseSettings(common.source), logger: common.logger())
            do {
                try await access.migrate()
                let status = try await access.migrationStatus()
                print("The schema is at migration \(status.applied).")
            } catch {
                await access.close()
                throw error
            }
            await access.close()
        }
    }
}
