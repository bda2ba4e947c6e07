import WhorlProtocol

/// Grouping by a custom fingerprint, in which variables are replaced with values of the event.
enum CustomFingerprint {
    /// Whether a part is `{{ default }}`, with any whitespace inside the braces.
    static func isDefault(_ part: String) -> Bool { variable(part) == "default" }

    static func component(_ parts: [String], _ event: Event) -> GroupingComponent {
        .group(
            name: "custom-fingerprint",
            contributes: true,
            hint: nil,
            children: parts.map { part in
                .value(name: "fingerprint", text: resolved(part, event), contributes: true, hint: nil)
            }
        )
    }

    /// Replaces each variable in a text.
    static func filled(_ text: String, _ event: Event) -> String {
        var result = ""
        var rest = text[...]
        while let open = rest.firstRange(of: "{{"), let close = rest[open.upperBound...].firstRange(of: "}}") {
            result += rest[..<open.lowerBound]
            result += resolved(String(rest[open.lowerBound..<close.upperBound]), event)
            rest = rest[close.upperBound...]
        }
        return result + rest
    }

    private static func variable(_ part: String) -> String? {
        let trimmed = part.trimmingBlanks()
        guard trimmed.hasPrefix("{{"), trimmed.hasSuffix("}}"), trimmed.utf8.count >= 4 else { return nil }
        return String(trimmed.dropFirst(2).dropLast(2)).trimmingBlanks().lowercased()
    }

    /// The value of a variable, a placeholder when the event does not have it, or the part itself when it is not a
    /// variable.
    private static func resolved(_ part: String, _ event: Event) -> String {
        guard let name = variable(part) else { return part }
        let frame = CrashFrame.frame(of: event)
        switch name {
        case "transaction": return event.transaction ?? "<no-transaction>"
        case "type", "error.type": return event.exceptions.last?.type ?? "<no-type>"
        case "value", "error.value": return event.exceptions.last?.value ?? "<no-value>"
        case "function", "stack.function": return frame?.function ?? "<no-function>"
        case "module", "stack.module": return frame?.module ?? "<no-module>"
        case "package", "stack.package": return frame?.package ?? "<no-package>"
        case "abs_path", "stack.abs_path": return frame?.absPath ?? "<no-abs-path>"
        case "message": return event.message?.shown ?? event.exceptions.last?.value ?? "<no-message>"
        case "level": return (event.level ?? .error).rawValue
        case "logger": return event.logger ?? "<no-logger>"
        case "release": return event.release ?? "<no-release>"
        case "environment": return event.environment ?? "<no-environment>"
        case let tag where tag.hasPrefix("tags."):
            let key = String(tag.dropFirst(5))
            return event.tags.first { $0.key.lowercased() == key }?.value ?? "<no-value-for-tag-\(key)>"
        default: return part
        }
    }
}
