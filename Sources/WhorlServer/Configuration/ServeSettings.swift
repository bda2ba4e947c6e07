import Foundation
import WhorlHTTP
import WhorlIngest
import WhorlProcessing
import WhorlSpool
import WhorlStore

/// The settings of `whorl serve`.
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
    /// Whether the collector sends itself a canary event every minute.
    let hasCanary: Bool
    /// The grouping rules of the whole installation.
    let groupingRules: GroupingRules

    init(_ source: SettingSource) throws {
        database = try DatabaseSettings(source)
        log = try LogSettings(source)
        bootstrap = try BootstrapSettings(source)
        host = source.value(.host) ?? Setting.host.fallback
        port = try source.integer(.port)
        publicURL = try Self.publicURL(source)
        metricsToken = try source.secret(.metricsToken)
        let networks = source.value(.trustedProxies) ?? ""
        guard let proxies = TrustedProxies(networks) else {
            throw SettingsError(.trustedProxies, value: networks)
        }
        self.proxies = proxies
        limits = try Self.limits(source)
        var writer = EventWriter.Configuration()
        writer.batchEvents = try source.integer(.batchEvents)
        writer.batchBytes = try source.integer(.batchBytes)
        writer.linger = .milliseconds(try source.integer(.batchLinger))
        writer.queueEvents = try source.integer(.queueEvents)
        writer.queueBytes = try source.integer(.queueBytes)
        writer.payloadsPerMinute = try source.integer(.payloadsPerMinute)
        writer.timeout = database.timeout
        self.writer = writer
        retentionDays = try source.integer(.retentionDays)
        idleTimeoutSeconds = try source.integer(.idleTimeout)
        var spool = Spool.Limits()
        spool.bytes = try source.integer(.spoolMaxBytes)
        spool.age = .seconds(3_600 * (try source.integer(.spoolMaxAge)))
        self.spool = spool
        groupingRules = try Self.groupingRules(source)
        hasCanary = (try source.word(.canary) ?? Setting.canary.fallback) == "on"
    }

    private static func limits(_ source: SettingSource) throws -> IngestLimits {
        func unlimited(_ setting: Setting) throws -> Int? {
            let count = try source.integer(setting)
            return count == 0 ? nil : count
        }
        var limits = IngestLimits()
        limits.bodyBytes = try source.integer(.maxBodyBytes)
        limits.inflatedBytes = try source.integer(.maxInflatedBytes)
        limits.memoryBytes = try source.integer(.maxBodyMemory)
        limits.eventBytes = try source.integer(.maxEventBytes)
        limits.attachmentBytes = try source.integer(.maxAttachmentBytes)
        limits.items = try source.integer(.maxEnvelopeItems)
        limits.connections = try source.integer(.maxConnections)
        limits.connectionsPerAddress = try source.integer(.maxConnectionsPerAddress)
        limits.headTimeout = .seconds(try source.integer(.headTimeout))
        limits.bodyTimeout = .seconds(try source.integer(.bodyTimeout))
        limits.itemsPerMinute = try unlimited(.itemsPerMinute)
        limits.projectItemsPerMinute = try unlimited(.projectItemsPerMinute)
        limits.farFactor = try source.integer(.farOverLimitFactor)
        limits.badCredentialsPerMinute = try source.integer(.badCredentialsPerMinute)
        limits.fields.stringBytes = try source.integer(.maxStringBytes)
        limits.fields.depth = try source.integer(.maxDepth)
        limits.fields.members = try source.integer(.maxMembers)
        limits.fields.elements = try source.integer(.maxElements)
        limits.fields.frames = try source.integer(.maxFrames)
        limits.fields.exceptions = try source.integer(.maxExceptions)
        limits.fields.breadcrumbs = try source.integer(.maxBreadcrumbs)
        limits.fields.tags = try source.integer(.maxTags)
        return limits
    }

    /// The grouping rules of the installation, read from files.
    private static func groupingRules(_ source: SettingSource) throws -> GroupingRules {
        func text(_ setting: Setting) throws -> String {
            guard let path = source.value(setting) else { return "" }
            guard let data = FileManager.default.contents(atPath: path), data.count <= GroupingRules.maxBytes else {
                throw SettingsError(description: "\(setting.name): \(path) cannot be read, or is larger than 64 KiB")
            }
            return String(decoding: data, as: UTF8.self)
        }
        let fingerprints = try text(.fingerprintRules)
        let stacks = try text(.stackRules)
        do {
            return try GroupingRules(fingerprints: fingerprints, stacks: stacks)
        } catch {
            throw SettingsError(description: "WHORL_FINGERPRINT_RULES or WHORL_STACK_RULES: \(error)")
        }
    }

    /// The URL by which clients reach a collector that listens on this host and port.
    func publicURL(port: Int) -> String {
        if let publicURL { return publicURL }
        let name = host == "0.0.0.0" || host == "::" ? "localhost" : host.contains(":") ? "[\(host)]" : host
        return "http://\(name):\(port)"
    }

    private static func publicURL(_ source: SettingSource) throws -> String? {
        guard let text = source.value(.publicURL) else { return nil }
        guard let url = URL(string: text), let scheme = url.scheme, ["http", "https"].contains(scheme),
            let host = url.host, !host.isEmpty, url.query == nil, url.user == nil
        else {
            throw SettingsError(.publicURL, value: text)
        }
        return text.hasSuffix("/") ? String(text.dropLast()) : text
    }
}
