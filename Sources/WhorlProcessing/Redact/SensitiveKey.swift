/// Decides by the key whether a value is sensitive (words: protocol facts, section 4.6).
struct SensitiveKey {
    /// Words that match anywhere in a key; keys are compared in lower case without separators.
    private static let parts: [StaticString] = [
        "password", "passwd", "passphrase", "secret", "apikey", "accesskey", "privatekey", "credential", "mysqlpwd",
        "bearer", "csrf", "xsrf", "authorization", "authentication", "token", "cookie", "sessionid", "sessid",
        "creditcard",
        "cardnumber", "stripetoken", "xapikey",
    ]
    /// Words that match only as a whole key.
    private static let wholes: [StaticString] = ["auth", "session", "pwd", "cvv", "cvc", "ssn", "pin", "xauth"]

    /// The maximum length of a key that is checked; longer keys are not meaningful names.
    static let maxBytes = 128

    private let usesDefaults: Bool
    private let extra: [[UInt8]]
    private let safe: [[UInt8]]

    init(_ settings: ScrubSettings) {
        usesDefaults = settings.usesDefaults
        extra = settings.sensitiveFields.prefix(100).map { Self.folded($0.utf8) }.filter { !$0.isEmpty }
        safe = settings.safeFields.prefix(100).map { Self.folded($0.utf8) }.filter { !$0.isEmpty }
    }

    /// Whether the value of a key is sensitive.
    func matches(_ key: UnsafeBufferPointer<UInt8>) -> Bool {
        guard (2...Self.maxBytes).contains(key.count) else { return false }
        return withUnsafeTemporaryAllocation(of: UInt8.self, capacity: Self.maxBytes) { buffer in
            var count = 0
            for byte in key {
                if let letter = Self.folded(byte) {
                    buffer[count] = letter
                    count += 1
                }
            }
            let name = UnsafeBufferPointer(rebasing: buffer[..<count])
            var isSensitive = usesDefaults && Self.isUsual(name)
            if !isSensitive, !extra.isEmpty {
                isSensitive = extra.contains { word in word.withUnsafeBufferPointer { Self.find($0, in: name) } }
            }
            guard isSensitive else { return false }
            return !safe.contains { $0.elementsEqual(name) }
        }
    }

    private static func isUsual(_ name: UnsafeBufferPointer<UInt8>) -> Bool {
        for word in wholes where word.utf8CodeUnitCount == name.count && find(word, in: name) { return true }
        for word in parts where word.utf8CodeUnitCount <= name.count && find(word, in: name) { return true }
        return false
    }

    private static func find(_ word: StaticString, in name: UnsafeBufferPointer<UInt8>) -> Bool {
        find(UnsafeBufferPointer(start: word.utf8Start, count: word.utf8CodeUnitCount), in: name)
    }

    private static func find(_ word: UnsafeBufferPointer<UInt8>, in name: UnsafeBufferPointer<UInt8>) -> Bool {
        guard word.count <= name.count, let first = word.first else { return false }
        for start in 0...(name.count - word.count) where name[start] == first {
            var at = 1
            while at < word.count, name[start + at] == word[at] { at += 1 }
            if at == word.count { return true }
        }
        return false
    }

    private static func folded(_ bytes: some Sequence<UInt8>) -> [UInt8] { bytes.compactMap { folded($0) } }

    /// A letter in lower case or a digit; nil for separators.
    private static func folded(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"): byte
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): byte | 0x20
        case 0x80...: byte
        default: nil
        }
    }
}
