import Foundation
import WhorlIngest
import WhorlPostgres
import WhorlStore

/// A setting that cannot be used, as one sentence for the person who set it.
struct SettingsError: Error, CustomStringConvertible {
    let description: String
}

/// Where settings come from: flags first, then the environment, then `NAME_FILE` for secrets.
struct SettingSource {
    let environment: [String: String]
    /// Values of flags by the name of the variable that each stands for.
    var flags: [String: String] = [:]

    func value(_ name: String) -> String? {
        if let flag = flags[name] { return flag }
        guard let value = environment[name], !value.isEmpty else { return nil }
        return value
    }

    /// A secret from its variable or from the file that `NAME_FILE` names.
    func secret(_ name: String) throws -> String? {
        if let value = environment[name], !value.isEmpty { return value }
        guard let path = environment[name + "_FILE"], !path.isEmpty else { return nil }
        guard let text = try? String(contentsOfFile: path, encoding: .utf8) else {
            throw SettingsError(description: "\(name)_FILE is \"\(path)\": the file cannot be read")
        }
        return text.trimmingCharacters(in: .whitespacesAndNewlines)
    }

    func integer(_ name: String, default fallback: Int, _ range: ClosedRange<Int>) throws -> Int {
        guard let text = value(name) else { return fallback }
        guard let number = Int(text), range.contains(number) else {
            throw SettingsError(
                description: "\(name) is \"\(text)\": allowed are whole numbers from \(range.lowerBound) to "
                    + "\(range.upperBound)"
            )
        }
        return number
    }

    func word(_ name: String, default fallback: String, _ allowed: [String]) throws -> String {
        guard let text = value(name) else { return fallback }
        guard allowed.contains(text) else {
            throw SettingsError(
                description: "\(name) is \"\(text)\": allowed are \(allowed.joined(separator: ", "))"
            )
        }
        return text
    }
}

/// Where the database is and where files lie: what every command needs.
struct DatabaseSettings {
    /// Nil for a private Postgres.
    let databaseURL: String?
    let dataDirectory: String
    let connections: Int
    let timeout: Duration

    init(_ source: SettingSource) throws {
        databaseURL = try source.secret("DATABASE_URL")
        if let databaseURL, !databaseURL.hasPrefix("postgres://"), !databaseURL.hasPrefix("postgresql://") {
            throw SettingsError(
                description: "DATABASE_URL does not start with postgres:// or postgresql://, as it must"
            )
        }
        let directory = source.value("WHORL_DATA_DIR") ?? "./.whorl"
        dataDirectory = URL(fileURLWithPath: directory).standardizedFileURL.path
        connections = try source.integer("WHORL_DATABASE_CONNECTIONS", default: 10, 8...100)
        timeout = .milliseconds(try source.integer("WHORL_DATABASE_TIMEOUT_MS", default: 1_000, 100...60_000))
    }
}

/// How the program logs.
struct LogSettings {
    let level: String
    let isJSON: Bool

    init(_ source: SettingSource) throws {
        level = try source.word(
            "WHORL_LOG_LEVEL",
            default: "info",
            ["trace", "debug", "info", "notice", "warning", "error", "critical"]
        )
        let format = try source.word("WHORL_LOG_FORMAT", default: isatty(2) == 1 ? "text" : "json", ["text", "json"])
        isJSON = format == "json"
    }
}

/// What is made at start when the database does not have it.
struct BootstrapSettings {
    let organization: String?
    let project: String?
    let key: String?
    let token: String?

    /// Whether anything is set, so that the default organisation and project are not made.
    var isSet: Bool { organization != nil || project != nil || key != nil || token != nil }

    init(_ source: SettingSource) throws {
        func slug(_ name: String) throws -> String? {
            guard let text = source.value(name) else { return nil }
            guard Slug.isValid(text) else {
                throw SettingsError(
                    description: "\(name) is \"\(text)\": allowed are 1 to 50 lower-case letters, digits, '-' and '_', "
                        + "not only digits"
                )
            }
            return text
        }
        organization = try slug("WHORL_BOOTSTRAP_ORG")
        project = try slug("WHORL_BOOTSTRAP_PROJECT")
        key = try source.secret("WHORL_BOOTSTRAP_KEY")
        if let key, !Self.isKey(key) {
            throw SettingsError(
                description:
                    "WHORL_BOOTSTRAP_KEY is \"\(key.prefix(80))\": allowed are 32 lower-case hexadecimal digits"
            )
        }
        token = try source.secret("WHORL_BOOTSTRAP_TOKEN")
        if let token, !Self.isToken(token) {
            throw SettingsError(
                description: "WHORL_BOOTSTRAP_TOKEN has a value that is not allowed: it takes 32 to 128 letters, "
                    + "digits, '_' and '-'"
            )
        }
    }

    private static func isKey(_ text: String) -> Bool {
        text.utf8.count == 32 && text.allSatisfy { $0.isASCII && $0.isHexDigit && !$0.isUppercase }
    }

    private static func isToken(_ text: String) -> Bool {
        (32...128).contains(text.utf8.count)
            && text.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_" || $0 == "-") }
    }
}
