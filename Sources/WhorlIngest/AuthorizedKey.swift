import WhorlProcessing
import WhorlStore

/// A key that may send, with the rules of its project in the form in which they are applied.
package struct AuthorizedKey: Sendable {
    let publicKey: String
    let info: KeyInfo
    /// The limits that count its items.
    let rules: [RateLimiter.Rule]
    /// Filters, redaction and grouping of its project.
    let processing: ProcessingRules
    let origins: [Glob]
    let addresses: NetworkList?
    /// The metrics of its project.
    let metrics: ProjectEventMetrics
}
