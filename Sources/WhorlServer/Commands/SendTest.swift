import ArgumentParser
import Foundation
import Logging
import WhorlClient
import WhorlPostgres
import WhorlProtocol
import WhorlStore

#if canImport(FoundationNetworking)
import FoundationNetworking
#endif

/// The command `whorl send-test`.
struct SendTest: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Sends one real event through the client module and reads it back.",
        discussion: """
            With --token the event is read back through the API, otherwise through the database if it is reachable. \
            If neither is possible, only the acknowledgement is reported.
            """
    )

    @Argument(help: "The DSN to send to.")
    var dsn: String

    @Option(help: "An API token with event:read and org:read.")
    var token: String?

    @OptionGroup var common: CommonOptions

    /// The time limit for the acknowledgement of the event.
    private static let timeout = Duration.seconds(15)

    func run() async throws {
        try await runCommand {
            guard let parsed = DSN(dsn) else { throw SettingsError(description: "\"\(dsn)\" is not a DSN") }
            let transport = AnswerRecorder()
            var options = Options()
            options.transport = transport
            guard Whorl.start(dsn: dsn, environment: "send-test", options: options),
                let id = Whorl.capture(message: "whorl send-test: it works", level: .info)
            else { throw SettingsError(description: "cannot send to \"\(dsn)\"") }
            guard await Whorl.flush(timeout: Self.timeout) else {
                printError("no answer within 15 seconds")
                throw Exit.failure
            }
            switch await transport.outcome {
            case .answered(let status) where (200..<300).contains(status): print("acknowledged: \(id.hex)")
            case .answered(let status):
                printError("the server answered \(status)")
                throw Exit.failure
            case .unreachable, nil:
                printError("the server at \(parsed.host):\(parsed.port) cannot be reached")
                throw Exit.failure
            }
            try await readBack(id, parsed)
        }
    }

    private func readBack(_ id: EventID, _ dsn: DSN) async throws {
        if let token {
            guard try await isShown(id, dsn, token) else {
                printError("the API does not show the event")
                throw Exit.failure
            }
            print("read back through the API")
            return
        }
        switch await isStored(id, dsn) {
        case true?: print("read back through the database")
        case false?:
            printError("the database does not contain the event; check that the collector uses this database")
            throw Exit.failure
        case nil: print("not read back")
        }
    }

    /// Looks for the event in each organisation that the token may see.
    private func isShown(_ id: EventID, _ dsn: DSN, _ token: String) async throws -> Bool {
        let prefix = dsn.pathPrefix.isEmpty ? "" : dsn.pathPrefix + "/"
        let base = "\(dsn.scheme)://\(dsn.host):\(dsn.port)/\(prefix)api/0/organizations/"
        func get(_ path: String) async throws -> (status: Int, body: JSON)? {
            guard let url = URL(string: base + path) else { return nil }
            var request = URLRequest(url: url)
            request.setValue("Bearer \(token)", forHTTPHeaderField: "Authorization")
            let (data, response) = try await URLSession.shared.data(for: request)
            guard let status = (response as? HTTPURLResponse)?.statusCode,
                let body = try? JSON(JSONDocument(Array(data)).root)
            else { return nil }
            return (status, body)
        }
        guard let organizations = try await get(""), organizations.status == 200 else {
            printError("the API does not accept the token")
            throw Exit.failure
        }
        for organization in organizations.body.array ?? [] {
            guard let slug = organization["slug"]?.string else { continue }
            if let found = try await get("\(slug)/eventids/\(id.hex)/"), found.status == 200 { return true }
        }
        return false
    }

    /// Looks for the event in the configured database, or in a private cluster; nil if there is none.
    private func isStored(_ id: EventID, _ dsn: DSN) async -> Bool? {
        guard let project = Int(dsn.projectID), let settings = try? DatabaseSettings(common.source) else { return nil }
        // A private cluster is not created for this, because it would not contain the event.
        let isThere = settings.databaseURL != nil || FileManager.default.fileExists(atPath: settings.dataDirectory)
        guard isThere, let logger = try? common.logger(),
            let access = try? await DatabaseAccess.open(settings, logger: logger)
        else { return nil }
        let pool = access.pool(logger: logger)
        let found: Bool?
        do {
            found =
                try await EventQueries(pool: pool, codec: PayloadCodec(pool: pool)).event(id, projectID: project) != nil
        } catch {
            found = nil
        }
        await pool.close()
        await access.close()
        return found
    }
}

/// The client's own transport, which also records the status that the server answered.
private actor AnswerRecorder: Transport {
    enum Outcome {
        case answered(Int)
        case unreachable
    }

    private(set) var outcome: Outcome?
    private let transport = URLSessionTransport()

    func send(_ request: TransportRequest) async throws -> TransportAnswer {
        do {
            let answer = try await transport.send(request)
            outcome = .answered(answer.status)
            return answer
        } catch {
            outcome = .unreachable
            throw error
        }
    }
}
