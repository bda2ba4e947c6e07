import WhorlProcessing

/// The outcome of an item, by Sentry's names; every received item has exactly one.
package enum Outcome: String, Sendable {
    case accepted
    case filtered
    case rateLimited = "rate_limited"
    case invalid
    case clientDiscard = "client_discard"

    /// The reason for an outcome; the list is closed because the reason is a metric label.
    package enum Reason: String, Sendable {
        case none
        case duplicate
        case duplicateItem = "duplicate_item"
        case unsupportedItem = "unsupported-item"
        case tooLarge = "too_large"
        case invalidJSON = "invalid_json"
        case invalidEnvelope = "invalid_envelope"
        case invalidCompression = "invalid_compression"
        case authMissing = "auth_missing"
        case authMalformed = "auth_malformed"
        case authUnknownKey = "auth_unknown_key"
        case authDisabledKey = "auth_disabled_key"
        case projectMismatch = "project_id"
        case unavailable
        case rateLimited = "rate_limited"
        case quotaExceeded = "quota_exceeded"
        case origin = "cors"
        case address = "ip-address"
        case timeout
        case tooOld = "too_old"
        case localhost
        case legacyBrowsers = "legacy-browsers"
        case webCrawlers = "web-crawlers"
        case releaseVersion = "release-version"
        case errorMessage = "error-message"
        case errorType = "error-type"
        case other

        /// Whether the request has no usable key.
        package var isCredentialFailure: Bool {
            switch self {
            case .authMissing, .authMalformed, .authUnknownKey, .authDisabledKey, .projectMismatch: true
            default: false
            }
        }

        package init(_ reason: FilterReason) {
            self =
                switch reason {
                case .localhost: .localhost
                case .legacyBrowsers: .legacyBrowsers
                case .webCrawlers: .webCrawlers
                case .release: .releaseVersion
                case .message: .errorMessage
                case .errorType: .errorType
                case .address: .address
                }
        }
    }
}
