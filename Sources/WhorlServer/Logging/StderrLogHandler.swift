import Foundation
import Logging
import WhorlProtocol

/// Formats log lines for standard error: one JSON object per line, or text for a terminal.
///
/// ``LogWriter`` writes them. Control characters in messages and values are escaped, so that data from a sender can
/// neither end a line nor control a terminal.
struct StderrLogHandler: LogHandler {
    var logLevel: Logger.Level
    var metadata: Logger.Metadata = [:]
    private let isJSON: Bool
    private let label: String

    init(label: String, level: Logger.Level, isJSON: Bool) {
        self.label = label
        logLevel = level
        self.isJSON = isJSON
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        let facts = metadata.merging(event.metadata ?? [:]) { $1 }.sorted { $0.key < $1.key }
        let time = Timestamp.format(Date())
        let line: String
        if isJSON {
            var members: [(key: String, value: JSON)] = [
                ("time", .string(time)), ("level", .string(event.level.rawValue)),
                ("message", .string(event.message.description)), ("logger", .string(label)),
            ]
            members += facts.map { ($0.key, .string($0.value.description)) }
            line = JSON.object(members).text
        } else {
            let tail = facts.map { " \($0.key)=\(printable($0.value.description))" }.joined()
            line = "\(time) \(event.level.rawValue.uppercased()) \(printable(event.message.description))\(tail)"
        }
        LogWriter.standardError.write(line)
    }

    private func printable(_ text: String) -> String {
        guard text.unicodeScalars.contains(where: { $0.value < 0x20 || (0x7F...0x9F).contains($0.value) }) else {
            return text
        }
        return text.unicodeScalars
            .map { scalar in
                scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value)
                    ? "\\u{\(String(scalar.value, radix: 16))}" : String(scalar)
            }
            .joined()
    }
}
