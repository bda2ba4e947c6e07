import Foundation
import Testing
import WhorlProtocol
import WhorlTestSupport

@Suite("Swift client in the example application")
struct SwiftClientTests {
    @Test("A thrown error arrives with stack, request, scope and breadcrumbs in one issue, and metrics are exposed")
    func example() async throws {
        try await withCollector { collector in
            let shop = try RunningProgram(
                TestCollector.repository + "/Examples/Shop/.build/debug/Shop",
                [],
                environment: [
                    "PATH": "/usr/bin:/bin", "PORT": "0", "WHORL_DSN": collector.dsn, "WHORL_ENVIRONMENT": "staging",
                ]
            )
            do {
                let line = try await shop.line(containing: "shop listens on port")
                let port = try #require(line.split(separator: " ").last.flatMap { Int($0) })
                let http = TestHTTP(port: port)
                for order in [17, 19, 21] {
                    let answer = try await http.send(
                        "GET",
                        "/orders/\(order)?coupon=spring",
                        headers: ["Authorization": "Bearer s3cr3t"]
                    )
                    #expect(answer.status == 500)
                }
                #expect(try await http.get("/orders/18").text == "charged 180")
                #expect(try await http.get("/absent").status == 404)
                #expect(try await http.get("/orders/tea").status == 400)
                try await checkEvents(collector)
                try await checkMetrics(http)
                #expect(try await http.get("/health").text == "ok")
                shop.signal(SIGTERM)
                #expect(try await shop.exitStatus(within: 20) == 0)
            } catch {
                await shop.stop()
                throw error
            }
        }
    }

    private func checkEvents(_ collector: TestCollector) async throws {
        let path = "/api/0/projects/acme/web/issues/"
        let arrived = try await eventually {
            try await collector.http.get(path).json().array?.first?["count"]?.string == "3"
        }
        #expect(arrived)
        let issues = try await collector.http.get(path).json().array ?? []
        #expect(issues.count == 1)
        #expect(issues.first?["isUnhandled"] == true)
        let event = try await collector.http.get("/api/0/issues/\(issues.first?["id"]?.string ?? "")/events/oldest/")
            .json()
        #expect(event["title"] == "OrderError: outOfStock(order: 17)")
        #expect(event["culprit"] == "GET /orders/{id}")
        #expect(event["release"]?["version"] == "shop@1.4.2")
        #expect(event["environment"] == "staging")
        #expect(event["user"]?["id"] == "42")
        #expect(event["contexts"]?["order"]?["number"] == 17)
        #expect(event["sdk"]?["name"] == "whorl.swift")
        let tags = event["tags"]?.array ?? []
        #expect(tags.contains { $0["key"] == "checkout" && $0["value"] == "card" })
        func entry(_ type: String) -> JSON? {
            event["entries"]?.array?.first { $0["type"]?.string == type }?["data"]
        }
        #expect(entry("breadcrumbs")?["values"]?.array?.map { $0["message"] } == ["looked up order 17"])
        let request = entry("request")
        #expect(request?["url"]?.string?.hasSuffix("/orders/17") == true)
        #expect(request?["query"] == [["coupon", "spring"]])
        #expect(request?["headers"]?.text.contains("s3cr3t") == false)
        let exception = entry("exception")?["values"]?.array?.last
        #expect(exception?["type"] == "OrderError")
        #expect(exception?["module"] == "Shop")
        #expect(exception?["mechanism"]?["handled"] == false)
        #expect((exception?["stacktrace"]?["frames"]?.array ?? []).isEmpty == false)
    }

    private func checkMetrics(_ http: TestHTTP) async throws {
        let text = try await http.get("/metrics").text
        #expect(text.contains("shop_orders_total 1\n"))
        #expect(text.contains(#"http_requests_total{code="500",method="GET",route="/orders/{id}"} 3"#))
        #expect(text.contains(#"http_requests_total{code="400",method="GET",route="/orders/{id}"} 1"#))
        #expect(text.contains(#"http_requests_total{code="404",method="GET",route="__unmatched__"} 1"#))
        #expect(text.contains(#"http_request_duration_seconds_count{method="GET",route="/orders/{id}"} 5"#))
        // The scrape itself is the only request in progress.
        #expect(text.contains(#"http_requests_in_progress{route="/metrics"} 1"#))
        #expect(!text.contains("absent") && !text.contains("orders/17"))
    }
}
