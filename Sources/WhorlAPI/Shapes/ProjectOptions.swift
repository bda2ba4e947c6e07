import Foundation
import WhorlProcessing
import WhorlProtocol
import WhorlStore

/// The settings of a project, under Sentry's names or, if Sentry has none, under names with the prefix `whorl:`.
enum ProjectOptions {
    /// Maximum number of entries of a list.
    private static let maxEntries = 200

    // MARK: - Reading settings

    static func members(_ settings: ProjectSettings) -> [(key: String, value: JSON)] {
        let scrubbing = settings.scrubbing
        return [
            ("dataScrubber", .bool(scrubbing.isOn)), ("dataScrubberDefaults", .bool(scrubbing.usesDefaults)),
            ("sensitiveFields", strings(scrubbing.sensitiveFields)), ("safeFields", strings(scrubbing.safeFields)),
            ("scrubIPAddresses", .bool(scrubbing.removesAddresses)),
            ("allowedDomains", strings(settings.allowedOrigins)),
            ("fingerprintingRules", .string(settings.grouping.fingerprintRules)),
            ("groupingEnhancements", .string(settings.grouping.stackRules)),
            (
                "options",
                [
                    "filters:releases": .string(settings.filters.releases.joined(separator: "\n")),
                    "filters:error_messages": .string(settings.filters.messages.joined(separator: "\n")),
                    "filters:blacklisted_ips": .string(settings.filters.addresses.joined(separator: "\n")),
                    "whorl:filters:error_types": .string(settings.filters.errorTypes.joined(separator: "\n")),
                    "whorl:allowed_addresses": strings(settings.allowedAddresses),
                    "whorl:grouping_version": .int(settings.grouping.version.rawValue),
                    "whorl:grouping_previous_version": settings.grouping.isInTransition(Date())
                        ? .optional(settings.grouping.previous?.rawValue) : nil,
                    "whorl:scrub_mail_addresses": .bool(scrubbing.removesMailAddresses),
                    "whorl:quotas": .array(
                        settings.quotas.map { quota in
                            [
                                "window": .string(quota.window.rawValue), "count": .int(quota.count),
                                "categories": strings(quota.categories),
                            ]
                        }
                    ),
                ]
            ),
        ]
    }

    private static func strings(_ list: [String]) -> JSON { .array(list.map(JSON.string)) }

    // MARK: - Changing settings

    /// Changes the settings that the body names, and no others.
    static func apply(_ body: JSON, to settings: inout ProjectSettings) throws {
        try boolean(body, "dataScrubber", &settings.scrubbing.isOn)
        try boolean(body, "dataScrubberDefaults", &settings.scrubbing.usesDefaults)
        try boolean(body, "scrubIPAddresses", &settings.scrubbing.removesAddresses)
        try list(body, "sensitiveFields", &settings.scrubbing.sensitiveFields) { $0.utf8.count <= 100 }
        try list(body, "safeFields", &settings.scrubbing.safeFields) { $0.utf8.count <= 100 }
        try list(body, "allowedDomains", &settings.allowedOrigins) { Glob($0) != nil }
        try applyGrouping(body, to: &settings.grouping, now: Date())
        guard let options = body["options"], options != .null else { return }
        guard options.object != nil else { throw APIError.badRequest("options must be an object") }
        try list(options, "filters:releases", &settings.filters.releases) { Glob($0) != nil }
        try list(options, "filters:error_messages", &settings.filters.messages) { Glob($0) != nil }
        try list(options, "filters:blacklisted_ips", &settings.filters.addresses) { NetworkList([$0]) != nil }
        try list(options, "whorl:filters:error_types", &settings.filters.errorTypes) { Glob($0) != nil }
        try list(options, "whorl:allowed_addresses", &settings.allowedAddresses) { NetworkList([$0]) != nil }
        try boolean(options, "whorl:scrub_mail_addresses", &settings.scrubbing.removesMailAddresses)
        if let quotas = options["whorl:quotas"], quotas != .null { settings.quotas = try Self.quotas(quotas) }
    }

    /// How long, in seconds, both algorithms are computed after a project changes its algorithm: as long as events are
    /// kept.
    private static let transition = 90 * 86_400.0

    /// Changes the rules and the algorithm; if the rules are invalid, nothing changes.
    static func applyGrouping(_ body: JSON, to grouping: inout ProjectGrouping, now: Date) throws {
        var changed = grouping
        if let rules = try text(body, "fingerprintingRules") { changed.fingerprintRules = rules }
        if let rules = try text(body, "groupingEnhancements") { changed.stackRules = rules }
        for (name, fingerprints, stacks) in [
            ("fingerprintingRules", changed.fingerprintRules, ""), ("groupingEnhancements", "", changed.stackRules),
        ] {
            do {
                _ = try GroupingRules(fingerprints: fingerprints, stacks: stacks)
            } catch {
                throw APIError.badRequest("\(name): \(error)")
            }
        }
        if let number = body["options"]?["whorl:grouping_version"], number != .null {
            guard let version = number.int.flatMap(GroupingVersion.init(rawValue:)) else {
                throw APIError.badRequest("whorl:grouping_version: unknown algorithm")
            }
            if version != changed.version {
                changed.previous = changed.version
                changed.version = version
                changed.previousUntil = now.timeIntervalSince1970 + transition
            }
        }
        grouping = changed
    }

    private static func text(_ body: JSON, _ key: String) throws -> String? {
        guard let value = body[key], value != .null else { return nil }
        guard let text = value.string else { throw APIError.badRequest("\(key) must be a string") }
        return text
    }

    private static func quotas(_ value: JSON) throws -> [Quota] {
        guard let list = value.array, list.count <= 20 else {
            throw APIError.badRequest("whorl:quotas must be a list of at most 20 quotas")
        }
        return try list.map { entry in
            guard let window = entry["window"]?.string.flatMap(Quota.Window.init(rawValue:)),
                let count = entry["count"]?.int, (0...1_000_000_000_000).contains(count)
            else {
                throw APIError.badRequest(
                    "a quota needs a window (minute, hour or month) and a count from 0 to 1000000000000"
                )
            }
            return Quota(window: window, count: count, categories: try categories(entry["categories"] ?? nil))
        }
    }

    /// Categories become part of the key of a budget, so only known names are accepted.
    private static func categories(_ value: JSON) throws -> [String] {
        if value == .null { return [] }
        guard let words = value.array?.map(\.string), words.count <= Quota.categories.count else {
            throw APIError.badRequest("whorl:quotas: categories must be a list of category names")
        }
        return try Set(
            words.map { word in
                guard let word, Quota.categories.contains(word) else {
                    throw APIError.badRequest(
                        "whorl:quotas: categories may be \(Quota.categories.sorted().joined(separator: ", "))"
                    )
                }
                return word
            }
        )
        .sorted()
    }

    private static func boolean(_ body: JSON, _ key: String, _ value: inout Bool) throws {
        guard let new = body[key], new != .null else { return }
        guard let flag = new.bool else { throw APIError.badRequest("\(key) must be true or false") }
        value = flag
    }

    /// Reads a list of strings, or one string with an entry per line, as in Sentry's options.
    private static func list(
        _ body: JSON,
        _ key: String,
        _ value: inout [String],
        _ isValid: (String) -> Bool
    ) throws {
        guard let new = body[key], new != .null else { return }
        let entries: [String]
        if let text = new.string {
            entries = text.split(whereSeparator: \.isNewline).map { $0.trimmingCharacters(in: .whitespaces) }
        } else if let array = new.array, array.allSatisfy({ $0.string != nil }) {
            entries = array.compactMap(\.string)
        } else {
            throw APIError.badRequest("\(key) must be a list of strings")
        }
        let kept = entries.filter { !$0.isEmpty }
        guard kept.count <= maxEntries else { throw APIError.badRequest("\(key) has more than \(maxEntries) entries") }
        if let bad = kept.first(where: { !isValid($0) }) {
            throw APIError.badRequest("\(key): \"\(bad.prefix(60))\" is not allowed")
        }
        value = kept
    }
}
