import Foundation

/// Parses the members of an event in all forms that SDKs send, and notes invalid values.
struct EventReader {
    /// The maximum number of notes, which limits the cost of a malformed event.
    private static let maxNotes = 100
    /// The maximum number of exceptions of a chain; further exceptions in the middle are left out.
    private static let maxExceptions = 50
    /// The maximum length of a formatted message in bytes.
    ///
    /// A template of 8 KiB can contain a parameter of one megabyte 2,700 times.
    private static let maxMessage = 16_384
    /// The maximum length of a parameter in a formatted message in bytes.
    private static let maxParameter = 1_024

    private(set) var notes: [EventNote] = []

    mutating func note(_ path: String, _ reason: String) {
        if notes.count < Self.maxNotes { notes.append(EventNote(path, reason)) }
    }

    /// The text of a string, a number or a boolean; an empty string counts as absent.
    mutating func text(_ node: JSONNode, _ key: StaticString, at path: String? = nil) -> String? {
        guard let value = node.member(key) else { return nil }
        guard let text = scalar(value) else {
            note(path ?? String(describing: key), "invalid_data")
            return nil
        }
        return text.isEmpty ? nil : text
    }

    private func scalar(_ node: JSONNode) -> String? {
        node.string ?? node.numberText ?? node.bool.map { $0 ? "True" : "False" }
    }

    mutating func moment(_ node: JSONNode, _ key: StaticString) -> Date? {
        guard let value = node.member(key) else { return nil }
        let moment = Timestamp.parse(value)
        if moment == nil { note(String(describing: key), "invalid_data") }
        return moment
    }

    mutating func level(_ node: JSONNode) -> Level? {
        guard let value = node.member("level") else { return nil }
        let level =
            value.string.flatMap { Level(name: $0) ?? Int($0).flatMap(Level.init(number:)) }
            ?? value.int.flatMap(Level.init(number:))
        if level == nil { note("level", "invalid_data") }
        return level
    }

    /// Adds a note if a member that is only displayed is not an object.
    mutating func expectObject(_ node: JSONNode, _ key: StaticString) {
        guard let value = node.member(key), !value.isObject else { return }
        note(String(describing: key), "invalid_data")
    }

    /// Adds a note if a member is neither a list nor a list wrapped in an object.
    mutating func expectList(_ node: JSONNode, _ key: StaticString) {
        guard let value = node.member(key), !value.isArray, !value.isObject else { return }
        note(String(describing: key), "invalid_data")
    }

    mutating func object(_ node: JSONNode, _ key: StaticString, alias: StaticString) -> JSONNode? {
        guard let value = node.member(key) ?? node.member(alias) else { return nil }
        guard value.isObject else {
            note(String(describing: key), "invalid_data")
            return nil
        }
        return value
    }

    /// The elements of `{"values": […]}`, of a bare list, or of a single object.
    mutating func values(_ node: JSONNode, _ key: StaticString, alias: StaticString?) -> [JSONNode] {
        guard let value = node.member(key) ?? alias.flatMap({ node.member($0) }) else { return [] }
        if value.isArray { return value.elements.filter { !$0.isNull } }
        guard value.isObject else {
            note(String(describing: key), "invalid_data")
            return []
        }
        guard let list = value["values"] else { return [value] }
        if list.isArray { return list.elements.filter { !$0.isNull } }
        if !list.isNull { note("\(key).values", "invalid_data") }
        return []
    }

    mutating func exceptions(_ node: JSONNode) -> [ExceptionValue] {
        let all = values(node, "exception", alias: "sentry.interfaces.Exception")
        // Some SDKs send an empty object instead of an empty list.
        var kept = Array(all.enumerated())
        if kept.count > Self.maxExceptions {
            note("exception.values", "too_many_exceptions")
            kept = Array(kept.prefix(Self.maxExceptions / 2) + kept.suffix(Self.maxExceptions / 2))
        }
        return kept.compactMap { index, value in
            ExceptionValue(value, path: "exception.values.\(index)", &self)
        }
    }

    /// Tags from an object, a list of pairs, or a list of objects with key and value.
    mutating func tags(_ node: JSONNode) -> [Event.Tag] {
        guard let value = node.member("tags") else { return [] }
        var tags: [Event.Tag] = []
        func add(_ key: String?, _ value: JSONNode?) {
            guard let key, let value, !value.isNull else { return }
            guard let text = scalar(value) else {
                note("tags.\(key.prefix(40))", "invalid_data")
                return
            }
            tags.append(Event.Tag(key: key, value: text))
        }
        if value.isObject {
            for (key, value) in value.members { add(key.string, value) }
        } else if value.isArray {
            for element in value.elements {
                if element.isArray {
                    let pair = Array(element.elements.prefix(3))
                    guard pair.count == 2 else {
                        note("tags", "invalid_data")
                        continue
                    }
                    add(scalar(pair[0]), pair[1])
                } else {
                    add(element.member("key").flatMap(scalar), element.member("value"))
                }
            }
        } else {
            note("tags", "invalid_data")
        }
        return tags
    }

    /// The log message from `logentry` or one of its aliases, which is an object or a string; nil when there is none.
    mutating func message(_ node: JSONNode) -> LogEntry? {
        for key in ["logentry", "message", "sentry.interfaces.Message"] as [StaticString] {
            guard let value = node.member(key), value.bool != false else { continue }
            if let text = value.string ?? value.numberText {
                if text.isEmpty { continue }
                return LogEntry(message: nil, formatted: text, params: nil)
            }
            guard value.isObject else {
                note(String(describing: key), "invalid_data")
                continue
            }
            let template = text(value, "message", at: "logentry.message")
            let params = value.member("params").flatMap { $0.isArray || $0.isObject ? $0 : nil }
            let formatted =
                text(value, "formatted", at: "logentry.formatted")
                ?? template.flatMap { substituted($0, params) }
            guard template != nil || formatted != nil else { continue }
            return LogEntry(message: template, formatted: formatted, params: params)
        }
        return nil
    }

    /// Formats a template with `%s`, `%d`, `%(name)s`, `{}` or `{name}`; returns nil when there are no parameters.
    private func substituted(_ template: String, _ params: JSONNode?) -> String? {
        guard let params else { return nil }
        // Long templates are truncated (protocol facts, section 4), and the length of a name in braces is limited, so
        // that the time is linear.
        let template = String(decoding: template.utf8.prefix(8_192), as: UTF8.self)
        let list = params.elements.prefix(64).map(parameter)
        var named: [String: String] = [:]
        for (key, value) in params.members.prefix(64) { named[key.string ?? ""] = parameter(value) }
        var result = ""
        var rest = template[...]
        var next = 0
        while let character = rest.first, result.utf8.count < Self.maxMessage {
            let opener = character == "%" ? rest.dropFirst().first == "(" ? ")" : nil : character == "{" ? "}" : nil
            if let opener, let end = rest.prefix(64).firstIndex(of: Character(opener)) {
                let name = String(rest[..<end].drop { $0 == "%" || $0 == "(" || $0 == "{" })
                var value = named[name]
                if value == nil, name.isEmpty, next < list.count {
                    value = list[next]
                    next += 1
                }
                if let value {
                    result += value
                    rest = rest[rest.index(after: end)...]
                    // `%(name)s` ends with its conversion letter.
                    if character == "%" { rest = rest.dropFirst() }
                    continue
                }
            } else if character == "%", let conversion = rest.dropFirst().first, "sdifrxXeg".contains(conversion),
                next < list.count
            {
                result += list[next]
                next += 1
                rest = rest.dropFirst(2)
                continue
            }
            result.append(character)
            rest = rest.dropFirst()
        }
        return result
    }

    /// A parameter as text, truncated to limit the length of the message.
    private func parameter(_ node: JSONNode) -> String {
        let isShort = node.rawBytes.count <= 4 * Self.maxParameter
        let text =
            scalar(node)
            ?? (isShort ? JSON(node).text : String(decoding: node.rawBytes.prefix(Self.maxParameter), as: UTF8.self))
        guard text.utf8.count > Self.maxParameter else { return text }
        return String(decoding: text.utf8.prefix(Self.maxParameter), as: UTF8.self)
    }

    mutating func fingerprint(_ node: JSONNode) -> [String]? {
        guard let value = node.member("fingerprint") else { return nil }
        if let single = scalar(value) { return single.isEmpty ? nil : [single] }
        guard value.isArray else {
            note("fingerprint", "invalid_data")
            return nil
        }
        var parts: [String] = []
        for element in value.elements.prefix(64) {
            if let number = element.double, !element.isString, let whole = Int(exactly: number.rounded(.towardZero)) {
                parts.append(String(whole))
            } else if let text = scalar(element) {
                parts.append(text)
            } else {
                note("fingerprint", "invalid_data")
            }
        }
        return parts.isEmpty ? nil : parts
    }
}
