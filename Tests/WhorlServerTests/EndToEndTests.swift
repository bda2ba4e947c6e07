import Foundation
import Testing
import WhorlProtocol
import WhorlTestSupport

@Suite("End to end")
struct EndToEndTests {
    @Test("An event becomes an issue in the API and is counted in the metrics, and the health check passes")
    func wholePath() async throws {
        try await withCollector { collector in
            let id = EventID.random()
            let event: JSON = [
                "level": "error", "environment": "production",
                "exception": ["values": [["type": "OrderError", "value": "order 17 failed"]]],
            ]
            let answer = try await collector.send(event: event, id: id)
            #expect(answer.status == 200)
            #expect(try answer.json() == ["id": .string(id.hex)])
            // A duplicate is acknowledged and counted once.
            #expect(try await collector.send(event: event, id: id).status == 200)

            let issues = try await collector.http.get("/api/0/projects/acme/web/issues/").json()
            #expect(issues.array?.count == 1)
            #expect(issues.array?.first?["title"] == "OrderError: order 17 failed")
            #expect(issues.array?.first?["count"] == "1")
            #expect(issues.array?.first?["shortId"] == "WEB-1")

            let labels = #"{organization="acme",project="web",environment="production",level="error"}"#
            #expect(try await collector.metric("whorl_events_total" + labels) == 1)
            #expect(
                try await collector.metric(#"whorl_issues_created_total{organization="acme",project="web"}"#) == 1
            )
            #expect(try await collector.http.get("/health").text == #"{"status":"healthy"}"#)
        }
    }
}
