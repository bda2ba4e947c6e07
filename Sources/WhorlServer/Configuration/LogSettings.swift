import Foundation

/// The settings for logging.
struct LogSettings {
    let level: String
    let isJSON: Bool

    init(_ source: SettingSource) throws {
        level = try source.word(.logLevel) ?? Setting.logLevel.fallback
        isJSON = try source.word(.logFormat).map { $0 == "json" } ?? (isatty(2) != 1)
    }
}
