import Foundation
import Logging
import WhorlProcessing
import WhorlProtocol
import WhorlStore

/// Counts the outcomes of requests: metrics, outcomes per project, dropped events, failed credentials.
///
/// Nothing else counts them. ``IngestPipeline/answer(_:)`` calls it once per request, after the last step.
package struct IngestAccounting: Sendable {
    private let metrics: IngestMetrics
    private let outcomes: OutcomeRecorder
    private let credentialFailures: CredentialFailureLimiter
    private let logger: Logger

    package init(
        metrics: IngestMetrics,
        outcomes: OutcomeRecorder,
        credentialFailures: CredentialFailureLimiter,
        logger: Logger
    ) {
        self.metrics = metrics
        self.outcomes = outcomes
        self.credentialFailures = credentialFailures
        self.logger = logger
    }

    /// Counts a request whose body never arrived completely.
    func abandoned() { metrics.count("event", .invalid, .timeout) }

    /// Counts a request and each of its items.
    func record(_ items: ItemOutcomes, of request: IngestRequest) {
        if let refusal = items.refusal {
            if let cause = refusal.cause { logger.warning("event not kept", metadata: ["error": "\(cause)"]) }
            guard let reason = refusal.countedReason else { return }
            if reason.isCredentialFailure {
                metrics.refusedCredentials(reason)
                credentialFailures.failed(request.clientAddress)
                return
            }
        }
        if let kept = items.kept { countEvent(kept.event, kept.result, items.key, request) }
        for entry in items.entries { countItem(entry, items, request) }
    }

    /// Counts an event once, at its acknowledgement; a replay from the spool does not count it again.
    private func countEvent(
        _ event: ProcessedEvent,
        _ result: WriteResult,
        _ key: AuthorizedKey?,
        _ request: IngestRequest
    ) {
        metrics.endToEnd.observe(request.arrived.duration(to: .now))
        guard result != .duplicate, let project = key?.metrics else { return }
        project.acknowledged(
            environment: event.environment,
            level: event.level,
            at: request.receivedAt.timeIntervalSince1970
        )
        if case .stored(let isNewIssue, let isRegression) = result {
            project.committed(isNewIssue: isNewIssue, isRegression: isRegression)
        }
    }

    private func countItem(_ entry: ItemOutcomes.Entry, _ items: ItemOutcomes, _ request: IngestRequest) {
        guard let outcome = entry.outcome else { return }
        metrics.count(entry.type, outcome.outcome, outcome.reason)
        for discard in outcome.discards {
            metrics.clientDiscards.child(discard.category, discard.reason).increment(by: discard.quantity)
        }
        guard let projectID = items.key?.info.projectID else { return }
        for discard in outcome.discards {
            outcomes.count(
                projectID: projectID,
                category: discard.category,
                outcome: .clientDiscard,
                reason: discard.reason,
                quantity: discard.quantity,
                at: request.receivedAt
            )
        }
        // The SQL statement that stores an event also counts it as accepted, immediately or at replay.
        if entry.type == "event", outcome.outcome == .accepted { return }
        outcomes.count(
            projectID: projectID,
            category: Category.of(entry.type),
            outcome: outcome.outcome,
            reason: outcome.reason.rawValue,
            at: request.receivedAt
        )
        guard let id = entry.eventID else { return }
        outcomes.dropped(
            id,
            projectID: projectID,
            outcome: outcome.outcome,
            reason: outcome.reason,
            at: request.receivedAt
        )
    }
}
