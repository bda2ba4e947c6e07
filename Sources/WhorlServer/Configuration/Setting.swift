/// A setting of the program.
///
/// Its variable, flag, validation, help and row in README.md are all derived from this declaration.
struct Setting: Sendable {
    /// The values that a setting accepts.
    enum Kind: Sendable {
        /// A whole number in a range.
        case integer(ClosedRange<Int>, Unit)
        /// One of a few words.
        case word([String])
        /// Free text; `form` describes which text is allowed.
        case text(form: String)
        /// Text that must not be shown.
        ///
        /// It has no flag, because `ps` shows flags, and it may come from a file.
        case secret
    }

    /// The unit of a number.
    enum Unit: String, Sendable {
        case none = "number"
        case bytes
        case milliseconds
        case seconds
        case hours
        case days
        case perMinute = "per minute"
    }

    /// The name of the environment variable.
    let name: String
    let kind: Kind
    /// The default as shown to users; `unset` if there is none.
    let fallback: String
    /// A description in one sentence.
    let meaning: String

    var isSecret: Bool { if case .secret = kind { true } else { false } }

    /// The flag of `whorl serve`; nil for secrets.
    var flag: String? {
        if isSecret { return nil }
        let words = name.hasPrefix("WHORL_") ? name.dropFirst(6) : name[...]
        return "--" + words.lowercased().replacing("_", with: "-")
    }

    /// A description of the allowed values; nil if any text is allowed.
    var allowed: String? {
        switch kind {
        case .integer(let range, _): "\(range.lowerBound) to \(range.upperBound)"
        case .word(let words): words.joined(separator: ", ")
        case .text(let form): form
        case .secret: nil
        }
    }

    static func integer(
        _ name: String,
        default fallback: Int,
        _ range: ClosedRange<Int>,
        _ unit: Unit,
        _ meaning: String
    ) -> Setting {
        Setting(name: name, kind: .integer(range, unit), fallback: String(fallback), meaning: meaning)
    }

    static func word(
        _ name: String,
        default fallback: String,
        _ words: [String],
        _ meaning: String
    ) -> Setting {
        Setting(name: name, kind: .word(words), fallback: fallback, meaning: meaning)
    }

    static func text(_ name: String, default fallback: String = "unset", _ form: String, _ meaning: String) -> Setting {
        Setting(name: name, kind: .text(form: form), fallback: fallback, meaning: meaning)
    }

    static func secret(_ name: String, _ meaning: String) -> Setting {
        Setting(name: name, kind: .secret, fallback: "unset", meaning: meaning)
    }
}
