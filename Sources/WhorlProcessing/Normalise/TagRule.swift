import WhorlProtocol

/// Validates tags, limits their number, and merges them with derived tags (protocol facts, section 4).
enum TagRule {
    /// The maximum number of tags of an event, because each is a row in the counts of tag values.
    private static let maxTags = 100
    private static let maxKeyBytes = 200
    private static let maxValueBytes = 200
    /// Keys that are reserved for other members of the event.
    private static let reserved: Set<String> = ["release", "dist", "user", "filename", "function"]

    static func cleaned(_ tags: [Event.Tag], _ notes: inout NoteList) -> [Event.Tag] {
        var result: [Event.Tag] = []
        var seen: Set<String> = []
        for tag in tags {
            let key = String(tag.key.trimmingBlanks().map { $0 == " " ? "-" : $0 })
            let path = "tags.\(key.prefix(40))"
            guard !key.isEmpty, key.utf8.count <= maxKeyBytes, key.utf8.allSatisfy(isKeyByte) else {
                notes.add(path, "invalid_key")
                continue
            }
            guard !reserved.contains(key) else {
                notes.add(path, "reserved_key")
                continue
            }
            let value = tag.value.trimmingBlanks()
            guard value.utf8.count <= maxValueBytes, !value.utf8.contains(0x0A) else {
                notes.add(path, value.utf8.count > maxValueBytes ? "value_too_long" : "invalid_data")
                continue
            }
            guard !value.isEmpty else { continue }
            guard seen.insert(key).inserted else {
                notes.add(path, "duplicate_key")
                continue
            }
            guard result.count < maxTags else {
                notes.add("tags", "too_many_tags")
                break
            }
            result.append(Event.Tag(key: key, value: value))
        }
        return result
    }

    /// The tags of the event, followed by the derived tags with unused keys.
    static func merged(_ own: [Event.Tag], _ derived: [Event.Tag]) -> [Event.Tag] {
        let taken = Set(own.map(\.key))
        return own + derived.filter { !taken.contains($0.key) }
    }

    private static func isKeyByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "."), UInt8(ascii: ":"),
            UInt8(ascii: "-"):
            true
        default: false
        }
    }
}
