import CWhorlSearch

/// A case-insensitive pattern in which `*` matches any number of bytes and `?` matches one byte.
///
/// The time of a match is linear in the length of the text. Only the first 2 KiB of the text are compared.
public struct Glob: Sendable, Equatable {
    /// The maximum length of a pattern; longer patterns are rejected.
    public static let maxPatternBytes = 200

    private let pattern: String

    /// Returns nil when the pattern is empty or too long, or a part between two stars contains `?` and exceeds 32
    /// bytes.
    public init?(_ pattern: String) {
        guard (1...Self.maxPatternBytes).contains(pattern.utf8.count) else { return nil }
        let parts = pattern.utf8.split(separator: UInt8(ascii: "*"), omittingEmptySubsequences: false)
        for part in parts.dropFirst().dropLast()
        where part.count > Int(WHORL_GLOB_LOOSE_PART) && part.contains(UInt8(ascii: "?")) { return nil }
        self.pattern = String(decoding: pattern.utf8.map(Self.folded), as: UTF8.self)
    }

    /// Whether the whole text matches the pattern.
    public func matches(_ text: String) -> Bool {
        var (pattern, text) = (pattern, text)
        return pattern.withUTF8 { pattern in
            text.withUTF8 { text in
                pattern.withMemoryRebound(to: CChar.self) { pattern in
                    text.withMemoryRebound(to: CChar.self) { text in
                        whorl_glob(pattern.baseAddress, pattern.count, text.baseAddress, text.count) != 0
                    }
                }
            }
        }
    }

    /// The cost of a match in compared bytes.
    func cost(_ text: String) -> Int { min(text.utf8.count, Int(WHORL_GLOB_TEXT)) + pattern.utf8.count }

    private static func folded(_ byte: UInt8) -> UInt8 {
        (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) ? byte | 0x20 : byte
    }
}
