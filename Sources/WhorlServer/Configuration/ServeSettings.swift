import Foundation
import WhorlHTTP
import WhorlIngest
import WhorlProcessing
import WhorlSpool
import WhorlStore

/// Everything that `whorl serve` can be told.
struct ServeSettings {
    let database: DatabaseSettings
    let log: LogSettings
    let bootstrap: BootstrapSettings
    let host: String
    let port: Int
    let publicURL: String?
    let metricsToken: String?
    let proxies: TrustedProxies
    let limits: IngestLimits
    let writer: EventWriter.Configuration
    let retentionDays: Int
    let idleTimeoutSeconds: Int
    let spool: Spool.Limits
    /// Whether a canary event flies every minute.
    let hasCanary: Bool
    /// Grouping rules of the whole installation.
    let groupingRules: GroupingRules

    init(_ source: SettingSource) throws {
        database = try DatabaseSettings(source)
        log = try LogSettings(source)
        bootstrap = try BootstrapSettings(source)
        host = source.value("HOST") ?? "127.0.0.1"
        port = try source.integer("PORT", default: 8_000, 0...65_535)
        publicURL = try Self.publicURL(source)
        metricsToken = try source.secret("WHORL_METRICS_TOKEN")
        let proxies = source.value("WHORL_TRUSTED_PROXIES") ?? ""
        guard let proxies = TrustedProxies(proxies) else {
            throw SettingsError(
                description: "WHORL_TRUSTED_PROXIES is \"\(proxies)\": allowed are addresses and networks such as "
                    + "10.0.0.0/8, separated by commas"
            )
        }
        self.proxies = proxies
        limits = try Self.limits(source)
        var writer = EventWriter.Configuration()
        writer.batchEvents = try source.integer("WHORL_BATCH_EVENTS", default: writer.batchEvents, 1...2_000)
        writer.batchBytes = try source.integer("WHORL_BATCH_BYTES", default: writer.batchBytes, 1_024...(64 << 20))
        writer.linger = .milliseconds(try source.integer("WHORL_BATCH_LINGER_MS", default: 5, 0...1_000))
        writer.queueEvents = try source.integer("WHORL_QUEUE_EVENTS", default: writer.queueEvents, 1...1_000_000)
        writer.queueBytes = try source.integer("WHORL_QUEUE_BYTES", default: writer.queueBytes, 1_024...(1 << 30))
        writer.payloadsPerMinute = try source.integer(
            "WHORL_PAYLOADS_PER_MINUTE",
            default: writer.payloadsPerMinute,
            1...1_000_000
        )
        writer.timeout = database.timeout
        self.writer = writer
        retentionDays = try source.integer("WHORL_RETENTION_DAYS", default: 90, 1...3_650)
        idleTimeoutSeconds = try source.integer("WHORL_IDLE_TIMEOUT_SECONDS", default: 75, 1...3_600)
        var spool = Spool.Limits()
        spool.bytes = try source.integer("WHORL_SPOOL_MAX_BYTES", default: spool.bytes, 1_048_576...(1 << 40))
        spool.age = .seconds(3_600 * (try source.integer("WHORL_SPOOL_MAX_AGE_HOURS", default: 168, 1...8_760)))
        self.spool = spool
        groupingRules = try Self.groupingRules(source)
        hasCanary = try source.word("WHORL_CANARY", default: "on", ["on", "off"]) == "on"
    }

    private static func limits(_ source: SettingSource) throws -> IngestLimits {
        var limits = IngestLimits()
        limits.bodyBytes = try source.integer("WHORL_MAX_BODY_BYTES", default: limits.bodyBytes, 1_024...(1 << 30))
        limits.inflatedBytes = try source.integer(
            "WHORL_MAX_INFLATED_BYTES",
            default: limits.inflatedBytes,
            1_024...(1 << 30)
        )
        limits.memoryBytes = try source.integer(
            "WHORL_MAX_BODY_MEMORY_BYTES",
            default: limits.memoryBytes,
            1_048_576...(1 << 36)
        )
        limits.eventBytes = try source.integer("WHORL_MAX_EVENT_BYTES", default: limits.eventBytes, 1_024...(100 << 20))
        limits.attachmentBytes = try source.integer(
            "WHORL_MAX_ATTACHMENT_BYTES",
            default: limits.attachmentBytes,
            1_024...(1 << 30)
        )
        limits.items = try source.integer("WHORL_MAX_ENVELOPE_ITEMS", default: limits.items, 1...10_000)
        limits.connections = try source.integer("WHORL_MAX_CONNECTIONS", default: limits.connections, 1...100_000)
        limits.connectionsPerAddress = try source.integer(
            "WHORL_MAX_CONNECTIONS_PER_ADDRESS",
            default: limits.connectionsPerAddress,
            1...100_000
        )
        limits.headTimeout = .seconds(try source.integer("WHORL_HEAD_TIMEOUT_SECONDS", default: 10, 1...600))
        limits.bodyTimeout = .seconds(try source.integer("WHORL_BODY_TIMEOUT_SECONDS", default: 30, 1...3_600))
        func unlimited(_ name: String) throws -> Int? {
            let count = try source.integer(name, default: 0, 0...1_000_000_000)
            return count == 0 ? nil : count
        }
        limits.itemsPerMinute = try unlimited("WHORL_ITEMS_PER_MINUTE")
        limits.projectItemsPerMinute = try unlimited("WHORL_PROJECT_ITEMS_PER_MINUTE")
        limits.farFactor = try source.integer("WHORL_FAR_OVER_LIMIT_FACTOR", default: limits.farFactor, 1...1_000)
        limits.badCredentialsPerMinute = try source.integer(
            "WHORL_BAD_CREDENTIALS_PER_MINUTE",
            default: limits.badCredentialsPerMinute,
            1...1_000_000
        )
        limits.fields = try fields(source)
        return limits
    }

    private static func fields(_ source: SettingSource) throws -> FieldLimits {
        var fields = FieldLimits()
        fields.stringBytes = try source.integer("WHORL_MAX_STRING_BYTES", default: fields.stringBytes, 256...1_048_576)
        fields.depth = try source.integer("WHORL_MAX_DEPTH", default: fields.depth, 8...100)
        fields.members = try source.integer("WHORL_MAX_MEMBERS", default: fields.members, 10...100_000)
        fields.elements = try source.integer("WHORL_MAX_ELEMENTS", default: fields.elements, 10...100_000)
        fields.frames = try source.integer("WHORL_MAX_FRAMES", default: fields.frames, 10...250)
        fields.exceptions = try source.integer("WHORL_MAX_EXCEPTIONS", default: fields.exceptions, 2...50)
        fields.breadcrumbs = try source.integer("WHORL_MAX_BREADCRUMBS", default: fields.breadcrumbs, 1...10_000)
        fields.tags = try source.integer("WHORL_MAX_TAGS", default: fields.tags, 1...1_000)
        return fields
    }

    /// Rules of the installation, read from files.
    private static func groupingRules(_ source: SettingSource) throws -> GroupingRules {
        func text(_ name: String) throws -> String {
            guard let path = source.value(name) else { return "" }
            guard let data = FileManager.default.contents(atPath: path), data.count <= GroupingRules.maxBytes else {
                throw SettingsError(description: "\(name): \(path) cannot be read, or is larger than 64 KiB")
            }
            return String(decoding: data, as: UTF8.self)
        }
        let fingerprints = try text("WHORL_FINGERPRINT_RULES")
        let stacks = try text("WHORL_STACK_RULES")
        do {
            return try GroupingRules(fingerprints: fingerprints, stacks: stacks)
        } catch {
            throw SettingsError(description: "WHORL_FINGERPRINT_RULES or WHORL_STACK_RULES: \(error)")
        }
    }

    /// The address under which the outside reaches a collector at this host and port.
    func publicURL(port: Int) -> String {
        if let publicURL { return publicURL }
        let name = host == "0.0.0.0" || host == "::" ? "localhost" : host.contains(":") ? "[\(host)]" : host
        return "http://\(name):\(port)"
    }

    private static func publicURL(_ source: SettingSource) throws -> String? {
        guard let text = source.value("WHORL_PUBLIC_URL") else { return nil }
        guard let url = URL(string: text), let scheme = url.scheme, ["http", "https"].contains(scheme),
            let host = url.host, !host.isEmpty, url.query == nil, url.user == nil
        else {
            throw SettingsError(
                description: "WHORL_PUBLIC_URL is \"\(text)\": allowed is an http or https URL such as "
                    + "https://errors.example.com"
            )
        }
        return text.hasSuffix("/") ? String(text.dropLast()) : text
    }
}
