/// Why an event could not be spooled.
package enum SpoolError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The spool holds as many bytes as it may, or its oldest record is older than it may be.
    case full
    /// The file cannot be written, and why; it is opened anew before the next attempt.
    case unusable(String)
    /// Another process owns the directory.
    case owned(String)

    package var description: String {
        switch self {
        case .full: "the spool is full"
        case .unusable(let reason): "the spool cannot be used: \(reason)"
        case .owned(let directory):
            "another whorl uses the spool in \(directory): every collector needs a data directory of its own"
        }
    }
}
