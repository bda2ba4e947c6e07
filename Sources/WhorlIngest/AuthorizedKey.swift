import WhorlProcessing
import WhorlStore

/// A key that may send events, with the compiled rules of its project.
package struct AuthorizedKey: Sendable {
    let publicKey: String
    let info: KeyInfo
    /// The rate limits that apply to items sent with this key.
    let rules: [RateLimiter.Rule]
    /// The filter, redaction and grouping rules of its project.
    let processing: ProcessingRules
    let origins: [Glob]
    let addresses: NetworkList?
    /// The metrics of its project.
    let metrics: ProjectEventMetrics
}
