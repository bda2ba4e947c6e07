/// A setting of the program: the one declaration from which come its variable, its flag, its check, its help and its row
/// in README.md.
struct Setting: Sendable {
    /// What values a setting takes.
    enum Kind: Sendable {
        /// A whole number in a range.
        case integer(ClosedRange<Int>, Unit)
        /// One of a few words.
        case word([String])
        /// Free text; `form` says of which form.
        case text(form: String)
        /// Text that must not be shown: it has no flag, since `ps` shows flags, and may come from a file.
        case secret
    }

    /// What a number counts.
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
    /// The default as people read it; `unset` where there is none.
    let fallback: String
    /// One sentence for people.
    let meaning: String

    var isSecret: Bool { if case .secret = kind { true } else { false } }

    /// The flag of `whorl serve`; nil for secrets.
    var flag: String? {
        if isSecret { return nil }
        let words = name.hasPrefix("WHORL_") ? name.dropFirst(6) : name[...]
        return "--" + words.lowercased().replacing("_", with: "-")
    }

    /// The values that are allowed, in words; nil where any text is.
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
