import Foundation
import Testing
import WhorlProtocol
import WhorlTestSupport

@Suite("Alerting with the shipped configuration and the real programs", .serialized)
struct AlertingTests {
    private static let docker = TestCollector.repository + "/docker"

    /// The shipped rules with windows of seconds instead of minutes, so that an alert also resolves within a test.
    private static func rules() throws -> String {
        try String(contentsOfFile: docker + "/prometheus/rules/whorl.yml", encoding: .utf8)
            .replacingOccurrences(of: "[1d:5m]", with: "[1d:20s]").replacingOccurrences(of: "[5m]", with: "[20s]")
            .replacingOccurrences(of: "offset 5m", with: "offset 20s").replacingOccurrences(of: "< 300", with: "< 20")
    }

    /// The shipped HAProxy configuration with the addresses of this test.
    private static func proxy(port: Int, collectors: [Int]) throws -> String {
        var text = try String(contentsOfFile: docker + "/haproxy/haproxy.cfg", encoding: .utf8)
        text = text.replacingOccurrences(of: "bind :8080", with: "bind 127.0.0.1:\(port)")
            .replacingOccurrences(of: "bind 127.0.0.1:8405", with: "bind 127.0.0.1:\(try freePort())")
            .replacingOccurrences(of: "collector-a:8000", with: "127.0.0.1:\(collectors[0])")
            .replacingOccurrences(of: "collector-b:8000", with: "127.0.0.1:\(collectors[1])")
        #expect(!text.contains(":8000"))
        return text
    }

    private static func prometheus(collectors: [Int], alertmanager: Int) -> String {
        """
        global: {scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}
        rule_files: [rules.yml]
        alerting: {alertmanagers: [{static_configs: [{targets: ['127.0.0.1:\(alertmanager)']}]}]}
        scrape_configs:
          - job_name: whorl
            static_configs: [{targets: ['127.0.0.1:\(collectors[0])', '127.0.0.1:\(collectors[1])']}]
        """
    }

    private static func alertmanager(webhook: Int) -> String {
        """
        route: {receiver: hook, group_by: [alertname, environment], group_wait: 0s, group_interval: 1s, repeat_interval: 1h}
        receivers: [{name: hook, webhook_configs: [{url: 'http://127.0.0.1:\(webhook)/', send_resolved: true}]}]
        """
    }

    @Test(
        "The first error of an environment, sent through HAProxy, fires a webhook alert within 60 s and resolves"
    )
    func wholeTopology() async throws {
        let folder = try temporaryDirectory("alerting")
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let url = try await TestCluster.shared.makeDatabase()
        let trusted = ["WHORL_TRUSTED_PROXIES": "127.0.0.1/32"]
        try await withCollector(databaseURL: url, environment: trusted) { first in
            try await withCollector(databaseURL: url, environment: trusted) { second in
                let webhook = try WebhookReceiver()
                defer { webhook.stop() }
                let (proxyPort, prometheusPort, alertmanagerPort) = (try freePort(), try freePort(), try freePort())
                let ports = [first.port, second.port]
                func write(_ name: String, _ text: String) throws {
                    try text.write(toFile: folder + "/" + name, atomically: true, encoding: .utf8)
                }
                try write("haproxy.cfg", Self.proxy(port: proxyPort, collectors: ports))
                try write("rules.yml", Self.rules())
                try write("prometheus.yml", Self.prometheus(collectors: ports, alertmanager: alertmanagerPort))
                try write("alertmanager.yml", Self.alertmanager(webhook: webhook.port))
                let path = ["PATH": "/usr/sbin:/usr/bin:/bin"]
                let programs = [
                    try RunningProgram("/usr/sbin/haproxy", ["-f", folder + "/haproxy.cfg"], environment: path),
                    try RunningProgram(
                        "/usr/bin/prometheus",
                        [
                            "--config.file=\(folder)/prometheus.yml", "--storage.tsdb.path=\(folder)/data",
                            "--web.listen-address=127.0.0.1:\(prometheusPort)",
                        ],
                        environment: path
                    ),
                    try RunningProgram(
                        "/usr/bin/prometheus-alertmanager",
                        [
                            "--config.file=\(folder)/alertmanager.yml", "--storage.path=\(folder)/alertmanager",
                            "--web.listen-address=127.0.0.1:\(alertmanagerPort)", "--cluster.listen-address=",
                        ],
                        environment: path
                    ),
                ]
                do {
                    try await observe(proxyPort, prometheusPort, webhook, [first, second])
                } catch {
                    for program in programs { await program.stop() }
                    throw error
                }
                for program in programs { await program.stop() }
            }
        }
    }

    private func observe(
        _ proxyPort: Int,
        _ prometheusPort: Int,
        _ webhook: WebhookReceiver,
        _ collectors: [TestCollector]
    ) async throws {
        let monitoring = TestHTTP(port: prometheusPort)
        func result(_ query: String) async throws -> [JSON] {
            let encoded = query.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? ""
            let answer = try await monitoring.get("/api/v1/query?query=\(encoded)").json()
            return answer["data"]?["result"]?.array ?? []
        }
        // Prometheus has scraped both for longer than the shortened windows, so that new series count as new.
        let ready = try await eventually(within: .seconds(60)) {
            (try? await result("min_over_time(up[20s]) == 1 and up offset 20s == 1").count) == 2
        }
        #expect(ready)
        #expect(webhook.bodies.allSatisfy { !$0.contains("WhorlErrorsInNewEnvironment") })

        let python = try await PythonEnvironment.make(
            "sdk-newest",
            requirements: String(
                contentsOfFile: TestCollector.repository + "/Tests/Fixtures/sdk/requirements-newest.txt",
                encoding: .utf8
            )
        )
        let dsn = "http://\(TestCollector.publicKey)@127.0.0.1:\(proxyPort)/1"
        let start = ContinuousClock.now
        let program = try RunningProgram(
            python.program("python"),
            [TestCollector.repository + "/Tests/Fixtures/sdk/drive.py", "plain"],
            environment: ["PATH": "/usr/bin:/bin", "SENTRY_DSN": dsn]
        )
        #expect(try await program.exitStatus() == 0)
        func notice(_ status: String, _ alert: String) -> Bool {
            webhook.bodies.contains { body in
                guard let message = try? JSON(JSONDocument(Array(body.utf8)).root) else { return false }
                return message["alerts"]?.array?
                    .contains {
                        $0["status"]?.string == status && $0["labels"]?["alertname"]?.string == alert
                    } ?? false
            }
        }
        let fired = try await eventually(within: .seconds(60)) {
            notice("firing", "WhorlErrorsInNewEnvironment") && notice("firing", "WhorlNewIssue")
        }
        #expect(fired, "\(webhook.bodies)")
        #expect(start.duration(to: .now) < scaledBound(.seconds(60)))
        #expect(webhook.bodies.contains { $0.contains(#""environment":"staging""#) })
        let resolved = try await eventually(within: .seconds(90)) {
            notice("resolved", "WhorlErrorsInNewEnvironment") && notice("resolved", "WhorlNewIssue")
        }
        #expect(resolved)

        // The proxy forwards to any ready collector, and does not expose the metrics.
        let proxy = TestHTTP(port: proxyPort, token: TestCollector.token)
        #expect(try await proxy.get("/api/0/projects/acme/web/issues/").json().array?.count == 1)
        #expect(try await proxy.get("/metrics").status == 404)
        collectors[0].program.signal(15)
        #expect(try await collectors[0].program.exitStatus(within: 15) == 0)
        let served = try await eventually(within: .seconds(10)) { try await proxy.get("/health").status == 200 }
        #expect(served)
    }
}
