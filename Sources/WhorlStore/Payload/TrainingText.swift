import WhorlProtocol

/// The parts of an event that a dictionary may contain: the keys of the protocol and the strings that SDKs generate.
///
/// A dictionary outlives the events that it was trained from. So it must not contain application data, which would
/// otherwise stay in the database after its project was deleted. All other strings and all numbers are left out.
/// Members whose keys an application chooses (`extra`, `tags`, `vars`, …) are emptied.
enum TrainingText {
    /// The text to train from; nil when the payload is not a JSON object.
    static func text(of payload: [UInt8]) -> [UInt8]? {
        guard let document = try? JSONDocument(payload), document.root.isObject else { return nil }
        var text: [UInt8] = []
        text.reserveCapacity(payload.count / 2)
        write(document.root, .protocolKeys, to: &text)
        return text
    }

    /// The part of a value that is kept.
    private enum Part {
        /// Protocol keys, and strings of `wordKeys` only.
        case protocolKeys
        /// Keys and strings, since the SDK generates both.
        case sdk
        /// A string from a small set of words that the SDK chooses from.
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

    /// The maximum length of a kept string; longer strings are not names of SDKs.
    private static let longestWord = 64

    private static let subtreesOfSDK: Set<String> = ["sdk", "mechanism", "runtime", "browser", "os"]

    /// Keys inside of subtrees that the SDK generates.
    ///
    /// `data` and `meta` of a mechanism are excluded.
    private static let sdkKeys: Set<String> = [
        "name", "version", "packages", "integrations", "features", "type", "handled", "synthetic", "build", "settings",
        "infer_ip", "exception_id", "parent_id", "is_exception_group", "source", "raw_description", "kernel_version",
    ]

    private static let wordKeys: Set<String> = ["platform", "level"]

    /// Keys of the event payload with a fixed meaning, as listed in the protocol's documentation.
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

    /// Members whose keys an application chooses: their own key is kept and their content is dropped.
    private static let free: Set<String> = [
        "extra", "tags", "vars", "modules", "data", "query_string", "cookies", "headers", "env", "params", "registers",
        "_meta",
    ]
}
