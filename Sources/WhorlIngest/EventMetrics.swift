import Synchronization
import WhorlProtocol
import WhorlTelemetry

/// Errors as metrics: what Prometheus sees of the applications.
///
/// Labels come from senders, so they are bounded: per project the first environments by name and the rest as
/// `__other__`; over the whole family the registry's own bound. Children that are known at start begin at zero, so that
/// the first event of a known pair is an increase.
package struct EventMetrics: Sendable {
    /// Environments of a project that have a label of their own.
    private static let maxEnvironments = 10
    /// Label sets of the events family: 200 projects with 2 environments and 5 levels.
    private static let maxEventSets = 2_000

    private let events: MetricFamily<Counter>
    private let created: MetricFamily<Counter>
    private let regressed: MetricFamily<Counter>
    private let lastEvent: MetricFamily<Gauge>
    private let environments = EnvironmentBound(limit: maxEnvironments)

    package init(registry: MetricsRegistry) {
        events = registry.counters(
            "whorl_events",
            "Events kept, counted once at acknowledgement.",
            labels: ["organization", "project", "environment", "level"],
            limit: Self.maxEventSets
        )
        created = registry.counters(
            "whorl_issues_created",
            "Issues that were new.",
            labels: ["organization", "project"],
            limit: 10_000
        )
        regressed = registry.counters(
            "whorl_issues_regressed",
            "Resolved issues that got a new event.",
            labels: ["organization", "project"],
            limit: 10_000
        )
        lastEvent = registry.gauges(
            "whorl_last_event_timestamp_seconds",
            "When the last event arrived, by Unix time.",
            labels: ["organization", "project", "environment"],
            limit: Self.maxEventSets
        )
    }

    /// The label of an environment without a name; `none` cannot be the name of one.
    private static func label(_ environment: String) -> String { environment.isEmpty ? "none" : environment }

    /// Makes the children of a project, at zero.
    package func know(organization: String, project: String) {
        _ = created.child(organization, project)
        _ = regressed.child(organization, project)
    }

    /// Makes the children of a pair of project and environment, at zero.
    package func know(organization: String, project: String, environment: String) {
        know(organization: organization, project: project)
        let name = environments.bounded(Self.label(environment), organization, project)
        for level in Level.allCases { _ = events.child(organization, project, name, level.rawValue) }
    }

    /// Counts an event at its acknowledgement.
    func acknowledged(organization: String, project: String, environment: String, level: Level, at unixTime: Double) {
        let name = environments.bounded(Self.label(environment), organization, project)
        events.child(organization, project, name, level.rawValue).increment()
        lastEvent.child(organization, project, name).set(unixTime)
    }

    /// Counts what a committed event meant for its issue.
    package func committed(organization: String, project: String, isNewIssue: Bool, isRegression: Bool) {
        if isNewIssue { created.child(organization, project).increment() }
        if isRegression { regressed.child(organization, project).increment() }
    }
}

/// Lets a project have so many environments as labels; the rest is `__other__`.
private final class EnvironmentBound: Sendable {
    private let limit: Int
    private let names = Mutex<[String: Set<String>]>([:])

    init(limit: Int) { self.limit = limit }

    func bounded(_ name: String, _ organization: String, _ project: String) -> String {
        names.withLock { names in
            let key = "\(organization)/\(project)"
            var known = names[key] ?? []
            if known.contains(name) { return name }
            guard known.count < limit, names.count < 100_000 else { return otherLabel }
            known.insert(name)
            names[key] = known
            return name
        }
    }
}
