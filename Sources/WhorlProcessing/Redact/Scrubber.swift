import Glibc
import WhorlProtocol

/// Removes sensitive data from an event, based on the names of members and on the content of texts.
///
/// The replacement is `[Filtered]`, as in SDKs.
struct Scrubber {
    static let replacement = "[Filtered]"

    /// Members of the event in which only credentials in URLs are scrubbed.
    ///
    /// Their keys are names such as those of packages, and their texts are ids and versions.
    private static let exempt = ["modules", "sdk", "debug_meta", "_meta", "fingerprint"]
    /// Members whose text may contain parameters as `name=value`.
    private static let parametric: [StaticString] = [
        "url", "query_string", "data", "body", "from", "to", "referer", "fragment",
    ]

    private let settings: ScrubSettings
    private let key: SensitiveKey
    private let text: SensitiveText

    /// Whether strings that contain JSON are parsed and scrubbed; false inside such a string, to limit recursion.
    private let parsesEmbeddedJSON: Bool

    init(_ settings: ScrubSettings, parsesEmbeddedJSON: Bool = true) {
        self.settings = settings
        self.parsesEmbeddedJSON = parsesEmbeddedJSON
        key = SensitiveKey(settings)
        text = SensitiveText(settings)
    }

    /// Adds the replacements for sensitive data, with a note for each.
    ///
    /// `wasTrimmed` is true when texts of the document were truncated, so that the end of a URL may be missing.
    func add(
        to edits: inout PayloadEdits,
        _ notes: inout NoteList,
        in document: JSONDocument,
        wasTrimmed: Bool = false
    ) {
        guard settings.isOn else { return }
        let looksIntoTexts =
            settings.usesDefaults
            && (wasTrimmed || document.bytes.withUnsafeBufferPointer { text.isPossible(in: $0) })
            || settings.removesMailAddresses || settings.removesAddresses
        var hits: [(node: JSONNode, kind: Hit)] = []
        var harmless = NonSensitiveKeyCache()
        var isExempt = false
        document.scan { visit in
            if visit.depth == 1 { isExempt = Self.exempt.contains { $0.utf8.elementsEqual(visit.key) } }
            if !visit.key.isEmpty, !harmless.contains(visit.key) {
                let holdsText = settings.usesDefaults && Self.mayHoldText(visit.key)
                if holdsText { hits.append((document.node(visit), .key(urlsOnly: isExempt))) }
                if !isExempt, isSensitive(visit, document) || isAddress(visit) {
                    if Self.hasContent(visit) { hits.append((document.node(visit), .whole)) }
                    return .over
                }
                if !isExempt, !holdsText { harmless.insert(visit.key) }
            }
            if visit.isString || visit.isNumber {
                let isParametric = !isExempt && Self.isParametric(visit.key) || Self.quotesParameters(visit)
                if isParametric || looksIntoTexts && text.isFound(in: visit.bytes, urlsOnly: isExempt) {
                    hits.append((document.node(visit), .text(isParametric: isParametric, urlsOnly: isExempt)))
                }
                return .over
            }
            // The array may be a pair of name and value, as in lists of headers.
            if !isExempt, visit.isArray, visit.size == 2 { hits.append((document.node(visit), .pair)) }
            return .into
        }
        for (node, kind) in hits {
            switch kind {
            case .whole: replace(node, document, &edits, &notes)
            case .pair: pair(node, document, &edits, &notes)
            case .text(let isParametric, let urlsOnly):
                within(node, isParametric, urlsOnly, document, &edits, &notes)
            case .key(let urlsOnly):
                if let key = node.key { whole(key, true, urlsOnly, document, &edits, &notes) }
            }
        }
    }

    /// The reason why a value may need scrubbing.
    private enum Hit {
        /// The key is sensitive.
        case whole
        /// The value is a list of two elements, which may be a name and its value.
        case pair
        /// The value is a text that may contain sensitive data.
        case text(isParametric: Bool, urlsOnly: Bool)
        /// The key is a text that may contain sensitive data.
        case key(urlsOnly: Bool)
    }

    /// Whether a key may be a text instead of a name: a URL, parameters, or a long number.
    private static func mayHoldText(_ key: UnsafeBufferPointer<UInt8>) -> Bool {
        var digits = 0
        for byte in key {
            switch byte {
            case UInt8(ascii: "/"), UInt8(ascii: "@"), UInt8(ascii: "="), UInt8(ascii: "\\"): return true
            case UInt8(ascii: "0")...UInt8(ascii: "9"): digits += 1
            default: break
            }
        }
        return digits >= 9
    }

    /// Whether a member contains an IP address that must be removed.
    private func isAddress(_ visit: JSONDocument.Visit) -> Bool {
        guard settings.removesAddresses else { return false }
        return ["ip_address", "REMOTE_ADDR", "X-Forwarded-For", "X-Real-Ip", "Forwarded"]
            .contains { $0.utf8.elementsEqual(visit.key) }
    }

    private static func hasContent(_ visit: JSONDocument.Visit) -> Bool {
        if visit.isString { return !visit.bytes.isEmpty && !replacement.utf8.elementsEqual(visit.bytes) }
        return visit.isNumber || visit.size > 0
    }

    /// Whether a text may contain a URL with parameters.
    private static func quotesParameters(_ visit: JSONDocument.Visit) -> Bool {
        guard visit.isString, let base = visit.bytes.baseAddress,
            memchr(base, Int32(UInt8(ascii: "?")), visit.bytes.count) != nil
        else { return false }
        return memchr(base, Int32(UInt8(ascii: "=")), visit.bytes.count) != nil
    }

    private static func isParametric(_ key: UnsafeBufferPointer<UInt8>) -> Bool {
        guard (2...12).contains(key.count) else { return false }
        return parametric.contains { word in
            word.utf8CodeUnitCount == key.count
                && (0..<key.count)
                    .allSatisfy { key[$0] == word.utf8Start[$0] || key[$0] | 0x20 == word.utf8Start[$0] }
        }
    }

    private func pair(
        _ node: JSONNode,
        _ document: JSONDocument,
        _ edits: inout PayloadEdits,
        _ notes: inout NoteList
    ) {
        let parts = Array(node.elements)
        guard parts.count == 2, parts[0].isString, parts[1].isString || parts[1].isNumber, parts[1].stringLength != 0
        else {
            return
        }
        let name = Array((parts[0].string ?? "").utf8)
        guard name.withUnsafeBufferPointer({ key.matches($0) }), parts[1].string != Self.replacement else { return }
        replace(parts[1], document, &edits, &notes)
    }

    private func within(
        _ node: JSONNode,
        _ isParametric: Bool,
        _ urlsOnly: Bool,
        _ document: JSONDocument,
        _ edits: inout PayloadEdits,
        _ notes: inout NoteList
    ) {
        if node.isString, node.rawBytes.contains(UInt8(ascii: "\\")) || isParametric {
            whole(node, isParametric, urlsOnly, document, &edits, &notes)
            return
        }
        let quote = node.isString ? 1 : 0
        let inner = node.range.lowerBound + quote..<node.range.upperBound - quote
        document.bytes.withUnsafeBufferPointer { bytes in
            let found = text.ranges(in: UnsafeBufferPointer(rebasing: bytes[inner]), urlsOnly: urlsOnly)
            if node.isNumber {
                // Only a whole number is replaced, because a partial replacement is not valid JSON.
                if found == [0..<inner.count] { replace(node, document, &edits, &notes) }
                return
            }
            for range in found {
                edits.replace(
                    inner.lowerBound + range.lowerBound..<inner.lowerBound + range.upperBound,
                    with: Self.replacement
                )
            }
            if !found.isEmpty { notes.add(document.path(of: node), "scrubbed") }
        }
    }

    /// Scrubs the unescaped characters of a text and re-encodes it if it changes.
    ///
    /// Escapes must not hide sensitive data, and a body may itself be JSON.
    private func whole(
        _ node: JSONNode,
        _ isParametric: Bool,
        _ urlsOnly: Bool,
        _ document: JSONDocument,
        _ edits: inout PayloadEdits,
        _ notes: inout NoteList
    ) {
        var characters = Array((node.string ?? "").utf8)
        var isChanged = false
        if isParametric, parsesEmbeddedJSON,
            characters.first == UInt8(ascii: "{") || characters.first == UInt8(ascii: "["),
            let body = try? JSONDocument(characters)
        {
            var inside = PayloadEdits()
            var ignored = NoteList([])
            Scrubber(settings, parsesEmbeddedJSON: false).add(to: &inside, &ignored, in: body)
            if !inside.isEmpty {
                characters = inside.applied(to: body.bytes)
                isChanged = true
            }
        }
        var found = characters.withUnsafeBufferPointer { text.ranges(in: $0, urlsOnly: urlsOnly) }
        if isParametric { found += characters.withUnsafeBufferPointer { parameters(in: $0) } }
        if !found.isEmpty {
            var cuts = PayloadEdits()
            for range in Self.merged(found) { cuts.replace(range, with: Self.replacement) }
            characters = cuts.applied(to: characters)
            isChanged = true
        }
        guard isChanged else { return }
        edits.replace(node.range, with: JSON.string(String(decoding: characters, as: UTF8.self)).text)
        notes.add(document.path(of: node), "scrubbed")
    }

    /// The ranges in order; overlapping and adjacent ranges are merged.
    private static func merged(_ ranges: [Range<Int>]) -> [Range<Int>] {
        ranges.sorted { $0.lowerBound < $1.lowerBound }
            .reduce(into: []) { merged, range in
                if let last = merged.last, range.lowerBound <= last.upperBound {
                    merged[merged.count - 1] = last.lowerBound..<max(last.upperBound, range.upperBound)
                } else {
                    merged.append(range)
                }
            }
    }

    /// Whether the key of a value is sensitive, with escapes decoded.
    private func isSensitive(_ visit: JSONDocument.Visit, _ document: JSONDocument) -> Bool {
        if key.matches(visit.key) { return true }
        guard visit.key.contains(UInt8(ascii: "\\")), let name = document.node(visit).key?.string else { return false }
        return Array(name.utf8).withUnsafeBufferPointer { key.matches($0) }
    }

    /// Whether the name of a parameter is sensitive, with percent encoding decoded.
    private func isSensitive(name: UnsafeBufferPointer<UInt8>) -> Bool {
        // Longer names do not match. Percent encoding may use three bytes for one.
        guard name.count <= 3 * SensitiveKey.maxBytes else { return false }
        guard name.contains(UInt8(ascii: "%")) else { return key.matches(name) }
        return key.matches(name) || Self.decoded(name).withUnsafeBufferPointer { key.matches($0) }
    }

    /// Decodes percent encoding; invalid sequences are kept.
    private static func decoded(_ name: UnsafeBufferPointer<UInt8>) -> [UInt8] {
        func digit(_ at: Int) -> UInt8? { at < name.count ? hexValue(name[at]) : nil }
        var result: [UInt8] = []
        var at = 0
        while at < name.count {
            if name[at] == UInt8(ascii: "%"), let high = digit(at + 1), let low = digit(at + 2) {
                result.append(high << 4 | low)
                at += 3
            } else {
                result.append(name[at])
                at += 1
            }
        }
        return result
    }

    /// The ranges of the values of sensitive parameters, as in `a=1&b=2`.
    private func parameters(in bytes: UnsafeBufferPointer<UInt8>) -> [Range<Int>] {
        var found: [Range<Int>] = []
        var start = 0
        var equals: Int?
        func finish(_ end: Int) {
            if let equals, end > equals + 1, isSensitive(name: UnsafeBufferPointer(rebasing: bytes[start..<equals])) {
                found.append(equals + 1..<end)
            }
            start = end + 1
            equals = nil
        }
        for at in bytes.indices {
            switch bytes[at] {
            case UInt8(ascii: "="): if equals == nil { equals = at }
            case UInt8(ascii: "&"), UInt8(ascii: ";"), UInt8(ascii: "?"), UInt8(ascii: "#"), UInt8(ascii: "\\"), 0x20:
                finish(at)
            default: break
            }
        }
        finish(bytes.count)
        return found
    }

    private func replace(
        _ node: JSONNode,
        _ document: JSONDocument,
        _ edits: inout PayloadEdits,
        _ notes: inout NoteList
    ) {
        edits.replace(node.range, with: "\"\(Self.replacement)\"")
        notes.add(document.path(of: node), "scrubbed")
    }
}

/// A small cache of keys that are not sensitive, because the frames of a stack repeat the same keys.
private struct NonSensitiveKeyCache {
    /// Short keys, packed into two words each; a key overwrites another key in the same slot.
    private var slots = [SIMD2<UInt64>](repeating: .zero, count: 64)

    func contains(_ key: UnsafeBufferPointer<UInt8>) -> Bool {
        guard let packed = Self.pack(key) else { return false }
        return slots[Self.slot(packed)] == packed
    }

    mutating func insert(_ key: UnsafeBufferPointer<UInt8>) {
        guard let packed = Self.pack(key) else { return }
        slots[Self.slot(packed)] = packed
    }

    private static func pack(_ key: UnsafeBufferPointer<UInt8>) -> SIMD2<UInt64>? {
        guard (1...15).contains(key.count), let base = UnsafeRawPointer(key.baseAddress) else { return nil }
        let count = key.count
        var words = SIMD2<UInt64>.zero
        // Uses overlapping loads instead of a loop. Together with the length, the result is unique for each key.
        switch count {
        case 8...:
            words[0] = base.loadUnaligned(as: UInt64.self)
            words[1] = base.loadUnaligned(fromByteOffset: count - 8, as: UInt64.self) >> UInt64(8 * (16 - count))
        case 4...:
            words[0] = UInt64(base.loadUnaligned(as: UInt32.self))
            words[0] |= UInt64(base.loadUnaligned(fromByteOffset: count - 4, as: UInt32.self)) << 32
        default:
            words[0] = UInt64(key[0]) | UInt64(key[count / 2]) << 8 | UInt64(key[count - 1]) << 16
        }
        // Because of the length, a key of NUL bytes differs from an empty slot.
        words[1] |= UInt64(count) << 56
        return words
    }

    private static func slot(_ packed: SIMD2<UInt64>) -> Int {
        let mixed = (packed[0] ^ (packed[1] &* 0x9E37_79B9_7F4A_7C15)) &* 0xBF58_476D_1CE4_E5B9
        return Int(truncatingIfNeeded: mixed >> 58)
    }
}
