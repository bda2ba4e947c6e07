/// How serious an event is.
public enum Level: String, Sendable, CaseIterable, Comparable {
    /// For those who develop.
    case debug
    /// Worth knowing.
    case info
    /// Something is odd, nothing failed.
    case warning
    /// Something failed.
    case error
    /// The program could not go on.
    case fatal

    /// The numbers of Python's logging, by which some SDKs send levels; also how levels are stored.
    public var number: Int {
        switch self {
        case .debug: 10
        case .info: 20
        case .warning: 30
        case .error: 40
        case .fatal: 50
        }
    }

    /// The level of a number of ``number``; nil for any other.
    public init?(number: Int) {
        guard let level = Self.allCases.first(where: { $0.number == number }) else { return nil }
        self = level
    }

    /// A level by its name or one of the names that SDKs use for it; nil for any other.
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

    /// By seriousness.
    public static func < (left: Level, right: Level) -> Bool { left.number < right.number }
}
