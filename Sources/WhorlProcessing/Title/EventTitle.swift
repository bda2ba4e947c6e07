import WhorlProtocol

/// The title of an event, and the parts of the title (protocol facts, section 6.5).
struct EventTitle {
    /// The maximum number of characters of a message in a title.
    private static let maxValue = 256
    /// The title of an event without an exception and a message.
    static let unlabeled = "<unlabeled event>"

    let title: String
    let location: String?
    let metadata: JSON

    init(_ event: Event) {
        let main = ExceptionGroups.representatives(of: event.exceptions).last ?? event.exceptions.last
        guard let main else {
            let line = firstLine(event.message?.shown ?? "", Self.maxValue)
            title = line.isEmpty ? Self.unlabeled : line
            location = CrashFrame.frame(of: event)?.filename?.prefix(bytes: 256)
            metadata = ["title": .string(title)]
            return
        }
        let frame =
            main.stacktrace.flatMap { CrashFrame.frame(in: $0.frames, event) } ?? CrashFrame.frame(of: event)
        let isSynthetic = main.mechanism?.isSynthetic ?? false
        let value = main.value?.prefix(bytes: 1_024)
        var metadata: [(key: String, value: JSON)] = []
        func add(_ key: String, _ text: String?) {
            if let text, !text.isEmpty { metadata.append((key, .string(text))) }
        }
        add("type", isSynthetic ? nil : main.type?.prefix(bytes: 128))
        add("value", value)
        add("filename", frame?.filename?.prefix(bytes: 256))
        let function = frame.flatMap { CrashFrame.function(of: $0, event) }
        add("function", function?.prefix(bytes: 256))
        self.metadata = .object(metadata)
        location = frame?.filename?.prefix(bytes: 256)
        // The type may be a mangled name.
        let type = main.type.map { event.names[$0] ?? $0 }
        let name = (isSynthetic ? function ?? type : type)
            .flatMap { name in name.trimmingBlanks().isEmpty ? nil : name.prefix(bytes: 256) }
        let line = value.map { firstLine($0, Self.maxValue) } ?? ""
        switch (name, line.isEmpty) {
        case (let name?, true): title = name
        case (let name?, false): title = isSynthetic ? name : "\(name): \(line)"
        case (nil, false): title = line
        case (nil, true): title = "<unknown>"
        }
    }
}

/// The first line that is not blank, truncated to `limit` characters; reads only the start of a long message.
private func firstLine(_ text: String, _ limit: Int) -> String {
    let line =
        text.prefix(bytes: 8_192).split(whereSeparator: \.isNewline).lazy.map { String($0).trimmingBlanks() }
        .first { !$0.isEmpty } ?? ""
    return line.count > limit ? line.prefix(limit - 3) + "..." : line
}
