import Foundation
import Testing
import WhorlTestSupport

@Suite("Deployment files")
struct DeploymentTests {
    @Test(
        "compose, HAProxy, Prometheus, Alertmanager and the linters accept the shipped files"
    )
    func files() async throws {
        let python = try await PythonEnvironment.make(
            "deployment",
            requirements: "check-jsonschema==0.39.0\npyyaml==6.0.3\nyamllint==1.38.0\nhadolint-bin==2.15.1\n"
        )
        let program = try RunningProgram(
            "/bin/bash",
            [TestCollector.repository + "/docker/check.sh", "--skip-missing"],
            environment: ["PATH": python.folder + "/bin:/usr/sbin:/usr/bin:/bin", "HOME": "/tmp"]
        )
        let status = try await program.exitStatus(within: 120)
        #expect(status == 0, "\(program.output)")
        for check in [
            "compose: the Compose Specification's schema", "haproxy.cfg", "prometheus.yml: with its rules",
            "rules: lint",
            "rules: whorl_test.yml", "rules: whorl_slo_test.yml", "alertmanager.yml", "Dockerfile", "consistency",
        ] { #expect(program.output.contains("ok    \(check)"), "\(check)") }
    }

    @Test("promtool accepts the metrics of a collector that has processed events")
    func metrics() async throws {
        try await withCollector { collector in
            for level in ["error", "warning", "fatal"] {
                _ = try await collector.send(
                    event: ["message": "m", "level": .string(level), "environment": "quote\" back\\slash"]
                )
            }
            _ = try await collector.http.get("/api/0/projects/acme/web/issues/")
            _ = try await collector.send(envelope: [0x7B])
            let text = try await collector.http.get("/metrics")
            #expect(text.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8")
            let file = try temporaryDirectory("metrics") + "/metrics"
            try text.text.write(toFile: file, atomically: true, encoding: .utf8)
            let program = try RunningProgram(
                "/bin/sh",
                ["-c", "exec promtool check metrics < \(file)"],
                environment: ["PATH": "/usr/bin:/bin"]
            )
            #expect(try await program.exitStatus() == 0, "\(program.output)")
            #expect(program.output.isEmpty, "\(program.output)")

            let open = try await collector.http.get(
                "/metrics",
                headers: [
                    "Accept": "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
                ]
            )
            #expect(open.headers["content-type"] == "application/openmetrics-text; version=1.0.0; charset=utf-8")
            #expect(open.text.hasSuffix("\n# EOF\n"))
            #expect(open.text.contains("# TYPE whorl_events counter\n"))
        }
    }

    @Test("If a metrics token is set, /metrics requires it")
    func token() async throws {
        try await withCollector(environment: ["WHORL_METRICS_TOKEN": "s3cret"]) { collector in
            let http = TestHTTP(port: collector.port)
            await expect(401) { try await http.get("/metrics").status }
            await expect(401) { try await http.get("/metrics", headers: ["Authorization": "Bearer wrong!"]).status }
            await expect(200) { try await http.get("/metrics", headers: ["Authorization": "Bearer s3cret"]).status }
        }
    }
}
