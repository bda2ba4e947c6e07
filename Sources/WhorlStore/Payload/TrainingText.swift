import WhorlProtocol

/// What a dictionary may learn of an event: the keys of the protocol and the strings that SDKs make.
///
/// A dictionary outlives the events that it was trained from. So it must not hold what an application wrote: such text
/// would stay in the database after its project was deleted. Every other string and every number is left out, and of
/// members whose keys an application chooses (`extra`, `tags`, `vars`, …) nothing is kept.
enum TrainingText {
    /// The text to train from; nil when the payload is no JSON object.
    static func text(of payload: [UInt8]) -> [UInt8]? {
        guard let document = try? JSONDocument(payload), document.root.isObject else { return nil }
        var text: [UInt8] = []
        text.reserveCapacity(payload.count / 2)
        write(document.root, .protocolKeys, to: &text)
        return text
    }

    /// What is kept of a value.
    private enum Part {
        /// Keys of the protocol; of strings only those of `wordKeys`.
        case protocolKeys
        /// Keys and strings: the SDK makes both.
        case sdk
        /// A string that the SDK chooses from a few words.
        case word
        /// Nothing: the application chooses the keys.
        case nothing
    }

    private static func write(_ node: JSONNode, _ part: Part, to text: inout [UInt8]) {
        if node.isObject {
            text.append(UInt8(ascii: "{"))
            var isFirst = true
            for (key, value) in node.members {
                guard let name = key.string, let inner = self.part(of: name, in: part) else { continue }
                if !isFirst { text.append(UInt8(ascii: ",")) }
                isFirst = false
                text += key.rawBytes
                text.append(UInt8(ascii: ":"))
                write(value, inner, to: &text)
            }
            text.append(UInt8(ascii: "}"))
        } else if node.isArray {
            text.append(UInt8(ascii: "["))
            for (place, element) in node.elements.enumerated() {
                if place > 0 { text.append(UInt8(ascii: ",")) }
                write(element, part, to: &text)
            }
            text.append(UInt8(ascii: "]"))
        } else if node.isString {
            let isKept = (part == .sdk || part == .word) && node.stringLength <= longestWord
            text += isKept ? Array(node.rawBytes) : [UInt8(ascii: "\""), UInt8(ascii: "\"")]
        } else if node.isNull || node.bool != nil {
            text += node.rawBytes
        }
    }

    private static func part(of key: String, in part: Part) -> Part? {
        if part == .nothing { return nil }
        if part == .sdk { return sdkKeys.contains(key) ? .sdk : nil }
        if free.contains(key) { return .nothing }
        if wordKeys.contains(key) { return .word }
        if subtreesOfSDK.contains(key) { return .sdk }
        return protocolKeys.contains(key) ? .protocolKeys : nil
    }

    /// Longer strings are no names of SDKs.
    private static let longestWord = 64

    private static let subtreesOfSDK: Set<String> = ["sdk", "mechanism", "runtime", "browser", "os"]

    /// Keys inside of what the SDK makes.
    ///
    /// `data` and `meta` of a mechanism are not among them.
    private static let sdkKeys: Set<String> = [
        "name", "version", "packages", "integrations", "features", "type", "handled", "synthetic", "build", "settings",
        "infer_ip", "exception_id", "parent_id", "is_exception_group", "source", "raw_description", "kernel_version",
    ]

    private static let wordKeys: Set<String> = ["platform", "level"]

    /// Keys of the event payload, as the protocol's documentation lists them, whose meaning is fixed.
    private static let protocolKeys: Set<String> = [
        // The event.
        "event_id", "timestamp", "start_timestamp", "received", "logger", "transaction", "transaction_info",
        "server_name", "release", "dist", "environment", "modules", "extra", "tags", "fingerprint", "errors", "user",
        "request", "contexts", "breadcrumbs", "exception", "threads", "message", "logentry", "stacktrace",
        "debug_meta", "values", "culprit", "_meta", "project", "key_id", "template",
        // Exceptions, threads and frames.
        "type", "value", "module", "thread_id", "frames", "filename", "function", "abs_path", "lineno", "colno",
        "pre_context", "context_line", "post_context", "in_app", "vars", "package", "instruction_addr", "addr_mode",
        "symbol_addr", "image_addr", "symbol", "raw_function", "registers", "id", "name", "crashed", "current", "main",
        "state", "held_locks", "lock", "snapshot", "frames_omitted", "stack_start", "trust", "native",
        // Messages, breadcrumbs, requests and users.
        "formatted", "params", "category", "data", "url", "method", "query_string", "cookies", "headers", "env",
        "username", "email", "ip_address", "geo", "city", "country_code", "region", "subdivision",
        // Contexts.
        "device", "app", "gpu", "culture", "cloud_resource", "trace", "profile", "replay", "response", "trace_id",
        "span_id", "parent_span_id", "op", "status", "description", "origin", "dynamic_sampling_context", "public_key",
        "sample_rate", "sampled", "sample_rand", "calendar", "display_name", "locale", "timezone", "is_24_hour_format",
        "arch", "family", "model", "model_id", "brand", "manufacturer", "battery_level", "charging", "online",
        "orientation", "simulator", "memory_size", "free_memory", "usable_memory", "storage_size", "free_storage",
        "boot_time", "processor_count", "cpu_description", "app_start_time", "app_identifier", "app_name",
        "app_version", "app_build", "app_memory", "in_foreground", "view_names", "permissions",
        // Images.
        "images", "code_id", "code_file", "debug_id", "debug_file", "image_size", "image_vmaddr", "uuid",
    ]

    /// Members whose keys an application chooses: their key is kept, and nothing inside.
    private static let free: Set<String> = [
        "extra", "tags", "vars", "modules", "data", "query_string", "cookies", "headers", "env", "params", "registers",
        "_meta",
    ]
}
