/// The severity of an event.
public enum Level: String, Sendable, CaseIterable, Comparable {
    /// Information for developers.
    case debug
    /// Information about normal operation.
    case info
    /// An unusual condition without a failure.
    case warning
    /// A failure.
    case error
    /// A failure after which the program cannot continue.
    case fatal

    /// The number of the level in the logging module of Python, which some SDKs send; also the stored form of the
    /// level.
    public var number: Int {
        switch self {
        case .debug: 10
        case .info: 20
        case .warning: 30
        case .error: 40
        case .fatal: 50
        }
    }

    /// Creates the level with a ``number``; returns nil for other numbers.
    public init?(number: Int) {
        guard let level = Self.allCases.first(where: { $0.number == number }) else { return nil }
        self = level
    }

    /// Creates a level from its name or an alias that SDKs use; returns nil for other names.
    public init?(name: String) {
        switch name.lowercased() {
        case "log": self = .info
        case "critical": self = .fatal
        case "warn": self = .warning
        case let name:
            guard let level = Level(rawValue: name) else { return nil }
            self = level
        }
    }

    /// Compares the severity.
    public static func < (left: Level, right: Level) -> Bool { left.number < right.number }
}
