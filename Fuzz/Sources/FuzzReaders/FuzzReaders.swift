import Foundation
import Synchronization
import WhorlProcessing
import WhorlProtocol

/// The function that libFuzzer calls with each input; `FUZZ_TARGET` selects the reader.
///
/// No reader may trap, exceed its cost limit or read outside of the input.
/// A value that was read, written and read again must be equal.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ data: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    let bytes = Array(UnsafeBufferPointer(start: data, count: count))
    Cost.measure(target, count) { read(bytes) }
    return 0
}

private func read(_ bytes: [UInt8]) {
    switch target {
    case "json": json(bytes)
    case "envelope": envelope(bytes)
    case "event": event(bytes)
    case "inflate": inflate(bytes)
    case "admission": admission(bytes)
    case "cursor": cursor(String(decoding: bytes, as: UTF8.self))
    case "search": search(String(decoding: bytes, as: UTF8.self))
    case "grouping": grouping(bytes)
    case "names": names(String(decoding: bytes, as: UTF8.self))
    case "rules": rules(String(decoding: bytes, as: UTF8.self))
    case "credentials": credentials(String(decoding: bytes, as: UTF8.self))
    case "answers": answers(String(decoding: bytes, as: UTF8.self))
    default: fatalError("unknown reader in FUZZ_TARGET")
    }
}

/// The program's entry point, with the name that SwiftPM expects; libFuzzer's own `main` is not linked.
@_cdecl("FuzzReaders_main")
public func start(_ count: CInt, _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?) -> CInt {
    var (count, arguments) = (count, arguments)
    countAllocations()
    atexit { Cost.report(target) }
    return runDriver(&count, &arguments) { data, size in
        data.map { fuzz($0, size) } ?? 0
    }
}

@_silgen_name("LLVMFuzzerRunDriver")
private func runDriver(
    _ count: UnsafeMutablePointer<CInt>,
    _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?>,
    _ body: @convention(c) (UnsafePointer<UInt8>?, Int) -> CInt
) -> CInt

private let target = ProcessInfo.processInfo.environment["FUZZ_TARGET"] ?? ""

private func json(_ bytes: [UInt8]) {
    guard let document = try? JSONDocument(bytes) else { return }
    let value = JSON(document.root)
    guard let again = try? JSON(JSONDocument(value.encoded()).root) else {
        fatalError("the written value cannot be read")
    }
    precondition(again == value, "the written value reads differently")
    walk(document.root)
}

private func walk(_ node: JSONNode) {
    _ = (node.string, node.int, node.double, node.bool, node.numberText, node.rawBytes.count, node["a"]?.typeName)
    for element in node.elements { walk(element) }
    for (key, value) in node.members {
        precondition(key.string != nil)
        walk(value)
    }
}

private func envelope(_ bytes: [UInt8]) {
    guard let envelope = try? Envelope(bytes[...]) else { return }
    precondition(envelope.items.count <= 250)
    precondition(envelope.items.reduce(0) { $0 + $1.payload.count } <= bytes.count)
    _ = (envelope.eventID, envelope.dsn)
}

private func event(_ bytes: [UInt8]) {
    guard let document = try? JSONDocument(bytes), document.root.isObject else { return }
    let event = Event(document.root)
    precondition(event.exceptions.count <= 50 && event.notes.count <= 100)
    for exception in event.exceptions { precondition(exception.stacktrace?.frames.count ?? 0 <= Stacktrace.maxFrames) }
    _ = (
        event.breadcrumbs.count, event.request?.typeName, event.contexts?.typeName, event.isUnhandled,
        event.message?.shown
    )
}

private func credentials(_ text: String) {
    let parts = text.split(separator: "\n", maxSplits: 2, omittingEmptySubsequences: false).map(String.init)
    _ = try? Credentials(
        sentryAuth: parts.first,
        authorization: parts.count > 1 ? parts[1] : nil,
        query: { $0 == "sentry_key" && parts.count > 2 ? parts[2] : nil },
        envelopeDSN: DSN(text)
    )
    if let dsn = DSN(text) { precondition(DSN(dsn.description) == dsn, "a written DSN reads differently") }
    _ = (
        EventID(text)?.hex, Timestamp.parse(text).map(Timestamp.format), RateLimit.parse(text).count, Level(name: text)
    )
}

/// A server's rate limits: a status, `Retry-After` and `X-Sentry-Rate-Limits`, one per line.
///
/// For any input the client waits for a finite time and stores few categories.
private func answers(_ text: String) {
    let lines = text.split(separator: "\n", maxSplits: 2, omittingEmptySubsequences: false).map(String.init)
    var headers: [String: String] = [:]
    if lines.count > 1 { headers["Retry-After"] = lines[1] }
    if lines.count > 2 { headers["X-Sentry-Rate-Limits"] = lines[2] }
    var limits = ActiveLimits()
    let now = ContinuousClock.now
    for _ in 0..<3 { limits.note(TransportAnswer(status: Int(lines[0]) ?? 429, headers: headers), at: now) }
    precondition(limits.count <= 64, "too many categories are stored")
    precondition(!limits.forbids("error", at: now + .seconds(86_401)), "a wait is too long")
    if let seconds = RetryAfter.seconds(text) { precondition((0...RetryAfter.longest).contains(seconds)) }
}

private func inflate(_ bytes: [UInt8]) {
    guard let first = bytes.first else { return }
    let codings: [Inflate.Coding] = [.gzip, .deflate, .brotli, .zstd, .identity]
    let limit = 65_536
    if let decoded = try? Inflate.decode(Array(bytes.dropFirst()), codings[Int(first) % codings.count], limit: limit) {
        precondition(decoded.count <= limit)
    }
}

/// Checks that a trimmed and scrubbed payload is valid JSON and does not change when it is processed again.
private func admission(_ bytes: [UInt8]) {
    var limits = FieldLimits()
    (limits.stringBytes, limits.depth, limits.members, limits.elements) = (256, 8, 10, 10)
    (limits.frames, limits.exceptions, limits.breadcrumbs, limits.tags) = (10, 2, 3, 5)
    var scrubbing = ScrubSettings()
    scrubbing.removesAddresses = true
    scrubbing.removesMailAddresses = true
    let rules = ProcessingRules(scrubbing: scrubbing, limits: limits)
    let context = EventContext(projectID: 1, eventID: .random(), receivedAt: Date(timeIntervalSince1970: 1_763_673_600))
    guard case .processed(let event)? = try? EventPipeline.process(bytes[...], context, rules) else { return }
    precondition(!event.title.isEmpty && !event.hashes.isEmpty)
    guard let again = try? EventPipeline.reprocess(event.payload, context) else {
        fatalError("the stored payload cannot be read")
    }
    precondition(again.title == event.title && again.hashes.map(\.hash) == event.hashes.map(\.hash))
}

private func cursor(_ text: String) {
    guard let cursor = try? Cursor.parse(text) else { return }
    precondition((try? Cursor.parse(cursor.text)) == cursor, "a written cursor reads differently")
}

private func search(_ text: String) { _ = try? SearchQuery(text) }

/// Checks that every event has hashes, that they are stable, and that the explanation has the same hashes.
private func grouping(_ bytes: [UInt8]) {
    guard let document = try? JSONDocument(bytes), document.root.isObject else { return }
    var event = Event(document.root)
    event.names = names(of: event)
    for version in GroupingVersion.allCases {
        var settings = GroupingSettings()
        settings.version = version
        let grouping = Grouping(event, settings)
        precondition(!grouping.hashes.isEmpty && grouping.hashes.allSatisfy { $0.hash.count == 16 })
        precondition(Grouping(event, settings).hashes == grouping.hashes)
        precondition(GroupingExplanation(event, settings).variants.map(\.hash) == grouping.hashes)
    }
    _ = (EventPipeline.culprit(of: event), EventPipeline.metadata(of: event))
}

/// The demangled names of an event; blocks this thread, because a fuzz target is not asynchronous.
private func names(of event: Event) -> DemangledNames {
    let done = DispatchSemaphore(value: 0)
    let result = Mutex(DemangledNames.none)
    Task.detached {
        let names = await NameDemangler.shared.names(of: event, projectID: 1)
        result.withLock { $0 = names }
        done.signal()
    }
    done.wait()
    return result.withLock { $0 }
}

/// The first line is a platform; the other lines are names and messages.
private func names(_ text: String) {
    let lines = text.split(separator: "\n", maxSplits: 20, omittingEmptySubsequences: false).map(String.init)
    func frame(_ place: Int) -> JSON {
        [
            "function": .string(lines[place]), "module": .string(lines[(place + 1) % lines.count]),
            "filename": .string(lines[(place + 2) % lines.count]), "context_line": .string(lines[place]),
        ]
    }
    let event: JSON = [
        "platform": .string(lines[0]), "message": .string(text),
        "exception": [
            "values": [
                ["type": .string(lines[0]), "value": .string(text)],
                [
                    "type": .string(lines[lines.count - 1]), "value": "x",
                    "stacktrace": ["frames": .array(lines.indices.map(frame))],
                ],
            ]
        ],
    ]
    grouping(event.encoded())
}

private func rules(_ text: String) {
    for rules in [try? GroupingRules(fingerprints: text), try? GroupingRules(stacks: text)].compactMap({ $0 }) {
        var settings = GroupingSettings()
        settings.rules = rules
        guard let document = try? JSONDocument(Array(sample.utf8)) else { fatalError("the sample is not JSON") }
        precondition(!Grouping(Event(document.root), settings).hashes.isEmpty)
    }
}

private let sample = """
    {"platform":"python","tags":{"shop":"eu"},"exception":{"values":[{"type":"TimeoutError","value":"x","stacktrace":{"frames":[
    {"function":"retry_once","module":"shop.a","filename":"a.py"},{"function":"pay","module":"shop.b","filename":"b.py"}]}}]}}
    """
