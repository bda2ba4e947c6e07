import Foundation
import WhorlProtocol

/// Encodes a Swift error as an exception of the protocol.
enum ErrorDescription {
    /// The maximum length of a description in bytes; longer descriptions are truncated.
    private static let maxValueBytes = 4_096

    static func exception(
        _ error: any Error,
        _ mechanism: Mechanism,
        frames: [JSON],
        fileID: String,
        line: Int
    ) -> JSON {
        let name = String(reflecting: Swift.type(of: error))
        // The first part of a reflected name is the module.
        let parts = name.split(separator: ".", maxSplits: 1).map(String.init)
        var members: [(key: String, value: JSON)] = [
            ("type", .string(parts.count > 1 ? parts[1] : name)),
            ("value", .string(String(decoding: description(of: error).utf8.prefix(maxValueBytes), as: UTF8.self))),
            ("mechanism", ["type": .string(mechanism.type), "handled": .bool(mechanism.isHandled)]),
        ]
        if parts.count > 1 { members.append(("module", .string(parts[0]))) }
        let stack = frames.isEmpty ? [place(fileID, line)] : frames
        members.append(("stacktrace", ["frames": .array(stack)]))
        return .object(members)
    }

    /// The localized description of the error if it has one, else its printed form: the case with its values.
    private static func description(of error: any Error) -> String {
        if let text = (error as? any LocalizedError)?.errorDescription { return text }
        return String(describing: error)
    }

    /// A frame for the source location of the call, used when there is no stack.
    private static func place(_ fileID: String, _ line: Int) -> JSON {
        let parts = fileID.split(separator: "/", maxSplits: 1).map(String.init)
        return [
            "filename": .string(parts.last ?? fileID), "module": .string(parts.first ?? ""), "lineno": .int(line),
            "in_app": true,
        ]
    }
}
