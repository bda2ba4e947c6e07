import Foundation
import Testing
import WhorlPostgres
import WhorlStore
import WhorlTestSupport

@Suite("SQL statements")
struct StatementTests {
    @Test("Every statement can be prepared against the migrated schema")
    func prepared() async throws {
        let url = try await TestCluster.shared.makeDatabase()
        let connection = try await PostgresConnection.connect(url, deadline: .now + .seconds(10))
        for statement in productStatements {
            do {
                try await connection.check(statement, deadline: .now + .seconds(10))
            } catch {
                Issue.record("\(error) in:\n\(statement.sql)")
            }
        }
        await connection.close()
    }

    @Test("The list of statements contains every statement that the store defines")
    func complete() throws {
        let folder = TestCollector.repository + "/Sources/WhorlStore"
        let files = try #require(FileManager.default.enumerator(atPath: folder)).compactMap { $0 as? String }
        var defined = 0
        for file in files where file.hasSuffix(".swift") {
            let text = try String(contentsOfFile: folder + "/" + file, encoding: .utf8)
            defined += text.components(separatedBy: "= PostgresStatement(").count - 1
            // A function makes the statements that differ only in the name of a table.
            defined += text.components(separatedBy: "= deleted(\"").count - 1
            defined += text.components(separatedBy: "= ofDeletedProjects(\"").count - 1
            defined += text.components(separatedBy: "= names(\"").count - 1
        }
        #expect(productStatements.count == defined)
    }

    @Test("Searches of every kind of term run against the migrated schema")
    func searches() async throws {
        let queries = [
            "", "is:unresolved", "!is:resolved is:new", "level:error", "!level:[info, debug]", "release:shop@*",
            "release:\"\"", "environment:production", "environment:[a, b]", "has:release !has:environment", "has:user",
            "checkout:card", "!checkout:\"gift card\"", "tags[level]:x", "checkout:c*d", "checkout:\"\"", "user:42",
            "user.email:a@example.com", "title:*order* message:x", "culprit:\"a in b\"", "timesSeen:>10 timesSeen:<=1k",
            "firstSeen:-24h lastSeen:+7d age:-2w", "firstSeen:>2026-01-01 lastSeen:2026-01-01",
            "firstSeen:2026-01-01T10:00:00Z", "issue:WEB-1", "error.unhandled:true", "payment failed \"for user\"",
            "'; DROP TABLE issue; --", "%_%", "\\", "platform:python logger:shop",
        ]
        try await withPool { pool, _ in
            for text in queries {
                for order in [IssueQueries.Order.date, .new, .freq, .user] {
                    for environments in [[], ["production"]] {
                        var request = IssueQueries.Request(projectIDs: [1, 2], query: try SearchQuery(text))
                        request.order = order
                        request.environments = environments
                        request.cursor = Cursor(value: 5, id: 1, isPrevious: order == .new)
                        request.from = Date(timeIntervalSince1970: 0)
                        request.to = Date()
                        let page = try await IssueQueries(pool: pool).list(request)
                        #expect(page.elements.isEmpty)
                    }
                }
            }
        }
    }

    @Test(
        "An invalid search query is refused",
        arguments: ["is:nonsense", "a:\"open", "a OR b", "(a)", "timesSeen:many", "firstSeen:soon", "x:[a", "x:[]"]
    )
    func refused(text: String) async throws {
        await #expect(throws: SearchQuery.SyntaxError.self) {
            try await withPool { pool, _ in
                let request = IssueQueries.Request(projectIDs: [1], query: try SearchQuery(text))
                _ = try await IssueQueries(pool: pool).list(request)
            }
        }
    }
}
