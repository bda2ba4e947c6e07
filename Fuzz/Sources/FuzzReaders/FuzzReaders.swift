import Foundation

/// What libFuzzer calls with each input; `FUZZ_TARGET` names the reader that is tried.
///
/// Nothing may trap, run away or read outside of its bytes. What is read has to hold together: a value that was read and
/// written reads again as itself.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ data: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    let bytes = Array(UnsafeBufferPointer(start: data, count: count))
    switch target {
    case "json": json(bytes)
    case "envelope": envelope(bytes)
    case "event": event(bytes)
    case "credentials": credentials(String(decoding: bytes, as: UTF8.self))
    default: fatalError("FUZZ_TARGET names no reader")
    }
    return 0
}

/// The program's start, under the name that SwiftPM gives it; libFuzzer's own `main` is left out.
@_cdecl("FuzzReaders_main")
public func start(_ count: CInt, _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?) -> CInt {
    var (count, arguments) = (count, arguments)
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
        fatalError("what was written does not read")
    }
    precondition(again == value, "what was written reads differently")
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
    if let dsn = DSN(text) { precondition(DSN(dsn.description) == dsn, "a DSN that was written reads differently") }
    _ = (
        EventID(text)?.hex, Timestamp.parse(text).map(Timestamp.format), RateLimit.parse(text).count, Level(name: text)
    )
}
