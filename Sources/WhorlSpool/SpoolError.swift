/// The reason why an event could not be spooled.
package enum SpoolError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The spool has reached its size limit, or its oldest record has exceeded the age limit.
    case full
    /// The file cannot be used, with the reason; it is reopened before the next attempt.
    case unusable(String)
    /// Another process owns the directory.
    case owned(String)

    package var description: String {
        switch self {
        case .full: "the spool is full"
        case .unusable(let reason): "the spool cannot be used: \(reason)"
        case .owned(let directory):
            "another whorl uses the spool in \(directory): every collector needs its own data directory"
        }
    }
}
