/// The descriptions of all settings, for the help of `whorl serve` and for README.md.
enum SettingHelp {
    /// The settings for a terminal.
    static let text: String = {
        let lines = Setting.all.map { setting in
            let name = setting.flag.map { "\($0) (\(setting.name))" } ?? "\(setting.name) or \(setting.name)_FILE"
            var facts: [String] = []
            if let allowed = allowed(setting) { facts.append(allowed) }
            facts.append("default: \(setting.fallback)")
            return "  \(name)\n      \(setting.meaning) (\(facts.joined(separator: "; ")))"
        }
        return """
            SETTINGS
            Each is a flag and an environment variable; the flag takes precedence. Secrets have no flag. They come from \
            the variable, or from the file that the variable NAME_FILE names.

            """ + lines.joined(separator: "\n")
    }()

    /// The table of README.md.
    static let markdown: String = {
        let rows = Setting.all.map { setting in
            let name = "`\(setting.name)`" + (setting.isSecret ? " (secret)" : "")
            return "| \(name) | \(setting.fallback) | \(allowed(setting) ?? "") | \(setting.meaning) |"
        }
        return (["| variable | default | allowed | meaning |", "|---|---|---|---|"] + rows).joined(separator: "\n")
    }()

    private static func allowed(_ setting: Setting) -> String? {
        guard case .integer(_, let unit) = setting.kind, unit != .none else { return setting.allowed }
        return setting.allowed.map { "\($0) \(unit.rawValue)" }
    }
}
