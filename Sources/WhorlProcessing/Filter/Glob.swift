import CWhorlSearch

/// A pattern in which `*` stands for any characters and `?` for one; letters match in either case.
///
/// The time of a match is linear in the length of the text, of which only the first 2 KiB are looked at.
public struct Glob: Sendable, Equatable {
    /// Longer patterns are refused.
    public static let maxPatternBytes = 200

    private let pattern: String

    /// Nil when the pattern is empty or too long, or holds a `?` in a part between two stars that is longer than 32 bytes.
    public init?(_ pattern: String) {
        guard (1...Self.maxPatternBytes).contains(pattern.utf8.count) else { return nil }
        let parts = pattern.utf8.split(separator: UInt8(ascii: "*"), omittingEmptySubsequences: false)
        for part in parts.dropFirst().dropLast()
        where part.count > Int(WHORL_GLOB_LOOSE_PART) && part.contains(UInt8(ascii: "?")) { return nil }
        self.pattern = String(decoding: pattern.utf8.map(Self.folded), as: UTF8.self)
    }

    /// Whether the whole text fits the pattern.
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

    /// What a match costs, in bytes that are looked at.
    func cost(_ text: String) -> Int { min(text.utf8.count, Int(WHORL_GLOB_TEXT)) + pattern.utf8.count }

    private static func folded(_ byte: UInt8) -> UInt8 {
        (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) ? byte | 0x20 : byte
    }
}
