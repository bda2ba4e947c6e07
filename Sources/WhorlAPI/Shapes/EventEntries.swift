import Foundation
import WhorlProcessing
import WhorlProtocol

/// The entries of an event, each with its type, with the camel-case names of Sentry's API.
struct EventEntries {
    let all: [JSON]

    init(_ event: Event) {
        var all: [JSON] = []
        func add(_ type: String, _ data: JSON) { all.append(["type": .string(type), "data": data]) }
        if let message = event.message {
            add(
                "message",
                [
                    "message": .optional(message.message ?? message.formatted), "formatted": .optional(message.shown),
                    "params": message.params.map(JSON.init) ?? nil,
                ]
            )
        }
        if !event.exceptions.isEmpty {
            add(
                "exception",
                [
                    "values": .array(event.exceptions.map { Self.exception($0, event.names) }),
                    "hasSystemFrames": .bool(event.exceptions.contains { Self.hasSystemFrames($0.stacktrace) }),
                    "excOmitted": nil,
                ]
            )
        }
        if let stack = event.stacktrace { add("stacktrace", Self.stack(stack, event.names)) }
        if !event.threads.isEmpty {
            add("threads", ["values": .array(event.threads.map { Self.thread($0, event.names) })])
        }
        let breadcrumbs = event.breadcrumbs
        if !breadcrumbs.isEmpty { add("breadcrumbs", ["values": .array(breadcrumbs.map(Self.breadcrumb))]) }
        if let request = event.request { add("request", RequestShape.json(request)) }
        if let template = event.node.member("template"), template.isObject { add("template", JSON(template)) }
        if let debug = event.node.member("debug_meta"), debug.isObject { add("debugmeta", JSON(debug)) }
        if let csp = event.node.member("csp"), csp.isObject { add("csp", JSON(csp)) }
        self.all = all
    }

    private static func exception(_ exception: ExceptionValue, _ names: DemangledNames) -> JSON {
        [
            "type": .optional(exception.type), "value": .optional(exception.value),
            "module": .optional(exception.module), "mechanism": exception.mechanism.map { JSON($0.node) } ?? nil,
            "threadId": .optional(exception.threadID),
            "stacktrace": exception.stacktrace.map { stack($0, names) } ?? nil,
            "rawStacktrace": exception.node.member("raw_stacktrace").map(JSON.init) ?? nil,
        ]
    }

    private static func thread(_ thread: EventThread, _ names: DemangledNames) -> JSON {
        [
            "id": .optional(thread.id), "name": .optional(thread.name), "crashed": .bool(thread.crashed),
            "current": .bool(thread.current), "stacktrace": thread.stacktrace.map { stack($0, names) } ?? nil,
        ]
    }

    private static func stack(_ stack: Stacktrace, _ names: DemangledNames) -> JSON {
        [
            "frames": .array(stack.frames.map { frame($0, names) }),
            "framesOmitted": stack.omitted > 0 ? [0, .int(stack.omitted)] : nil,
            "registers": stack.node.member("registers").map(JSON.init) ?? nil,
            "hasSystemFrames": .bool(hasSystemFrames(stack)),
        ]
    }

    private static func hasSystemFrames(_ stack: Stacktrace?) -> Bool {
        guard let frames = stack?.frames else { return false }
        return frames.contains { $0.inApp == true } && frames.contains { $0.inApp != true }
    }

    private static func frame(_ frame: Frame, _ names: DemangledNames) -> JSON {
        let readable = frame.function.flatMap { names[$0] }
        return [
            "filename": .optional(frame.filename), "absPath": .optional(frame.absPath),
            "module": .optional(frame.module), "package": .optional(frame.package),
            "platform": .optional(frame.platform), "function": .optional(readable ?? frame.function),
            "rawFunction": .optional(frame.rawFunction ?? readable.flatMap { _ in frame.function }),
            "lineNo": .optional(frame.lineno),
            "colNo": .optional(frame.colno), "inApp": .bool(frame.inApp ?? false), "context": context(frame),
            "vars": frame.node.member("vars").map(JSON.init) ?? nil,
            "instructionAddr": text(frame, "instruction_addr"), "symbolAddr": text(frame, "symbol_addr"),
            "trust": text(frame, "trust"), "errors": nil,
        ]
    }

    private static func text(_ frame: Frame, _ key: StaticString) -> JSON {
        frame.node.member(key).map(JSON.init) ?? nil
    }

    /// The source lines around the call with their numbers, if they are known.
    private static func context(_ frame: Frame) -> JSON {
        guard let line = frame.contextLine, let number = frame.lineno else { return [] }
        let before = frame.node.member("pre_context")?.elements.map { $0.string ?? "" } ?? []
        let after = frame.node.member("post_context")?.elements.map { $0.string ?? "" } ?? []
        let (first, overflow) = number.subtractingReportingOverflow(before.count)
        guard !overflow else { return [] }
        return .array((before + [line] + after).enumerated().map { [.int(first &+ $0), .string($1)] })
    }

    private static func breadcrumb(_ node: JSONNode) -> JSON {
        let time = node.member("timestamp").flatMap { Timestamp.parse($0) }
        return [
            "timestamp": .optional(time.map(Timestamp.format)),
            "type": .string(node.member("type")?.string ?? node.member("ty")?.string ?? "default"),
            "category": .optional(node.member("category")?.string),
            "level": .string(node.member("level")?.string ?? "info"),
            "message": .optional(node.member("message")?.string), "data": node.member("data").map(JSON.init) ?? nil,
            "event_id": .optional(node.member("event_id")?.string),
        ]
    }
}
