import Foundation

/// The error for an invalid setting, with a message in one sentence.
struct SettingsError: Error, CustomStringConvertible {
    let description: String

    init(description: String) { self.description = description }

    /// A value that is not allowed.
    init(_ setting: Setting, value: String) {
        let allowed =
            switch setting.kind {
            case .integer: "whole numbers from "
            case .word, .text, .secret: ""
            }
        description = "\(setting.name) is \"\(value)\"; allowed: \(allowed)\(setting.allowed ?? "")"
    }
}

/// The sources of setting values: flags first, then the environment, then `NAME_FILE` for secrets.
struct SettingSource {
    let environment: [String: String]
    /// Values of flags by the name of the setting.
    var flags: [String: String] = [:]

    init(environment: [String: String]) { self.environment = environment }

    /// Adds the flags of a command line: `--flag VALUE` or `--flag=VALUE`.
    mutating func addFlags(_ arguments: [String]) throws {
        var rest = arguments[...]
        while let argument = rest.popFirst() {
            let parts = argument.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard let setting = Setting.all.first(where: { $0.flag.map { $0 == parts[0] } ?? false }) else {
                throw SettingsError(description: "unknown argument \"\(argument)\"; see whorl serve --help")
            }
            guard let value = parts.count > 1 ? parts[1].description : rest.popFirst() else {
                throw SettingsError(description: "\(argument) needs a value")
            }
            flags[setting.name] = value
        }
    }

    /// The value as text; nil when it is not set.
    func value(_ setting: Setting) -> String? {
        if let flag = flags[setting.name] { return flag }
        guard let value = environment[setting.name], !value.isEmpty else { return nil }
        return value
    }

    /// A secret from its variable or from the file that `NAME_FILE` names.
    func secret(_ setting: Setting) throws -> String? {
        if let value = environment[setting.name], !value.isEmpty { return value }
        guard let path = environment[setting.name + "_FILE"], !path.isEmpty else { return nil }
        guard let text = try? String(contentsOfFile: path, encoding: .utf8) else {
            throw SettingsError(description: "\(setting.name)_FILE is \"\(path)\": the file cannot be read")
        }
        return text.trimmingCharacters(in: .whitespacesAndNewlines)
    }

    /// The value as a number, or the default.
    func integer(_ setting: Setting) throws -> Int {
        guard case .integer(let range, _) = setting.kind else {
            preconditionFailure("\(setting.name) is not a number")
        }
        let text = value(setting) ?? setting.fallback
        guard let number = Int(text), range.contains(number) else { throw SettingsError(setting, value: text) }
        return number
    }

    /// The value as a word; nil when it is not set.
    func word(_ setting: Setting) throws -> String? {
        guard let text = value(setting) else { return nil }
        guard case .word(let words) = setting.kind, words.contains(text) else {
            throw SettingsError(setting, value: text)
        }
        return text
    }
}
