import Synchronization
import WhorlProtocol
import WhorlTelemetry

/// The metrics about the errors of applications.
///
/// Label values come from senders, so their number is bounded: each project has labels for its first environments, and
/// all others share `__other__`. The registry bounds the whole family. Label sets that are known at start are created
/// at zero, so that monitoring sees the first event as an increase.
package final class EventMetrics: Sendable {
    /// Maximum number of label sets of the events family: 200 projects with 2 environments and 5 levels.
    private static let maxEventSets = 2_000
    /// Maximum number of projects whose handles are cached.
    private static let maxProjects = 100_000

    fileprivate let events: MetricFamily<Counter>
    fileprivate let lastEvent: MetricFamily<Gauge>
    private let created: MetricFamily<Counter>
    private let regressed: MetricFamily<Counter>
    private let projects = Mutex<[[String]: ProjectEventMetrics]>([:])

    package init(registry: MetricsRegistry) {
        events = registry.counters(
            "whorl_events_total",
            "Events kept, counted once at acknowledgement.",
            labels: ["organization", "project", "environment", "level"],
            limit: Self.maxEventSets
        )
        created = registry.counters(
            "whorl_issues_created_total",
            "Issues created.",
            labels: ["organization", "project"],
            limit: 10_000
        )
        regressed = registry.counters(
            "whorl_issues_regressed_total",
            "Resolved issues that received a new event.",
            labels: ["organization", "project"],
            limit: 10_000
        )
        lastEvent = registry.gauges(
            "whorl_last_event_timestamp_seconds",
            "Unix time at which the last event arrived.",
            labels: ["organization", "project", "environment"],
            limit: Self.maxEventSets
        )
    }

    /// The metric handles of a project; its issue counters are created at zero.
    package func project(organization: String, project: String) -> ProjectEventMetrics {
        projects.withLock { projects in
            let key = [organization, project]
            if let known = projects[key] { return known }
            if projects.count >= Self.maxProjects { projects = [:] }
            let metrics = ProjectEventMetrics(
                labels: key,
                issuesCreated: created.child(organization, project),
                issuesRegressed: regressed.child(organization, project),
                family: self
            )
            projects[key] = metrics
            return metrics
        }
    }
}

/// The metrics of one project.
///
/// Callers keep a reference, so that counting needs no lookup by project.
package final class ProjectEventMetrics: Sendable {
    /// Maximum number of environments of a project that have their own label.
    private static let maxEnvironments = 10

    /// The handles of one environment.
    private final class Environment: Sendable {
        let name: String
        let events: [Counter]
        /// Exists from the first event on: zero would read as 1970.
        let lastEvent = AtomicLazyReference<Gauge>()
        let labels: [String]

        init(name: String, events: [Counter], labels: [String]) {
            self.name = name
            self.events = events
            self.labels = labels
        }
    }

    private let labels: [String]
    private let issuesCreated: Counter
    private let issuesRegressed: Counter
    private let family: EventMetrics
    /// The first environment, which can be read without a lock.
    ///
    /// Most projects report from only one.
    private let first = AtomicLazyReference<Environment>()
    private let environments = Mutex<[String: Environment]>([:])

    fileprivate init(labels: [String], issuesCreated: Counter, issuesRegressed: Counter, family: EventMetrics) {
        self.labels = labels
        self.issuesCreated = issuesCreated
        self.issuesRegressed = issuesRegressed
        self.family = family
    }

    /// Creates the label sets of an environment at zero.
    package func preload(environment: String) { _ = self.environment(environment) }

    /// Counts an acknowledged event.
    func acknowledged(environment name: String, level: Level, at unixTime: Double) {
        let environment = environment(name)
        environment.events[level.index].increment()
        let lastEvent =
            environment.lastEvent.load()
            ?? environment.lastEvent.storeIfNil(family.lastEvent.child(environment.labels))
        lastEvent.set(unixTime)
    }

    /// Counts the effect of a committed event on its issue.
    package func committed(isNewIssue: Bool, isRegression: Bool) {
        if isNewIssue { issuesCreated.increment() }
        if isRegression { issuesRegressed.increment() }
    }

    private func environment(_ name: String) -> Environment {
        if let known = first.load(), known.name == name { return known }
        return environments.withLock { environments in
            if let known = environments[name] { return known }
            // Events without an environment have the label `none`, which is not a valid environment name.
            let isOverBound = environments.count >= Self.maxEnvironments
            let label = isOverBound ? otherLabel : name.isEmpty ? "none" : name
            if isOverBound, let other = environments[otherLabel] { return other }
            let environment = Environment(
                name: name,
                events: Level.allCases.map { family.events.child(labels + [label, $0.rawValue]) },
                labels: labels + [label]
            )
            environments[isOverBound ? otherLabel : name] = environment
            if !isOverBound { _ = first.storeIfNil(environment) }
            return environment
        }
    }
}

extension Level {
    /// The index of the level in `allCases`.
    fileprivate var index: Int { Level.allCases.firstIndex(of: self) ?? 0 }
}
