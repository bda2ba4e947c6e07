import ArgumentParser

/// The flags of `whorl serve`: each stands for a variable and wins over it.
///
/// Secrets have none, since `ps` shows flags.
struct ServeOptions: ParsableArguments {
    @Option(help: "HOST: where HTTP listens. (default: 127.0.0.1)")
    var host: String?

    @Option(help: "PORT: 0 to 65535; 0 picks a free one. (default: 8000)")
    var port: String?

    @Option(help: "WHORL_PUBLIC_URL: base of DSNs and permalinks. (default: http://HOST:PORT)")
    var publicURL: String?

    @Option(help: "WHORL_TRUSTED_PROXIES: networks whose X-Forwarded-For counts, as 10.0.0.0/8,::1. (default: none)")
    var trustedProxies: String?

    @Option(help: "WHORL_DATA_DIR: spool, private Postgres, cached keys. (default: ./.whorl)")
    var dataDir: String?

    @Option(help: "WHORL_BOOTSTRAP_ORG: organisation made at start when absent. (default: unset)")
    var bootstrapOrg: String?

    @Option(help: "WHORL_BOOTSTRAP_PROJECT: project made at start when absent. (default: unset)")
    var bootstrapProject: String?

    @Option(help: "WHORL_LOG_LEVEL: trace, debug, info, notice, warning, error, critical. (default: info)")
    var logLevel: String?

    @Option(help: "WHORL_LOG_FORMAT: text or json. (default: text on a terminal, else json)")
    var logFormat: String?

    @Option(help: "WHORL_RETENTION_DAYS: how long events are kept, 1 to 3650 days. (default: 90)")
    var retentionDays: String?

    @Option(help: "WHORL_MAX_BODY_BYTES: a request's body, 1024 to 1073741824. (default: 20971520)")
    var maxBodyBytes: String?

    @Option(help: "WHORL_MAX_INFLATED_BYTES: a body after inflating, 1024 to 1073741824. (default: 52428800)")
    var maxInflatedBytes: String?

    @Option(help: "WHORL_MAX_EVENT_BYTES: one event, 1024 to 104857600. (default: 1048576)")
    var maxEventBytes: String?

    @Option(help: "WHORL_MAX_ATTACHMENT_BYTES: one attachment, 1024 to 1073741824. (default: 104857600)")
    var maxAttachmentBytes: String?

    @Option(help: "WHORL_MAX_ENVELOPE_ITEMS: items of an envelope, 1 to 10000. (default: 250)")
    var maxEnvelopeItems: String?

    @Option(help: "WHORL_BATCH_EVENTS: events of a batch, 1 to 2000. (default: 200)")
    var batchEvents: String?

    @Option(help: "WHORL_BATCH_BYTES: compressed bytes of a batch, 1024 to 67108864. (default: 1048576)")
    var batchBytes: String?

    @Option(help: "WHORL_BATCH_LINGER_MS: how long an event waits for others, 0 to 1000 ms. (default: 5)")
    var batchLingerMs: String?

    @Option(help: "WHORL_QUEUE_EVENTS: events that wait for a batch, 1 to 1000000. (default: 10000)")
    var queueEvents: String?

    @Option(help: "WHORL_QUEUE_BYTES: compressed bytes that wait, 1024 to 1073741824. (default: 67108864)")
    var queueBytes: String?

    @Option(help: "WHORL_DATABASE_CONNECTIONS: most connections, 8 to 100. (default: 10)")
    var databaseConnections: String?

    @Option(help: "WHORL_DATABASE_TIMEOUT_MS: how long a batch may take, 100 to 60000 ms. (default: 1000)")
    var databaseTimeoutMs: String?

    @Option(help: "WHORL_IDLE_TIMEOUT_SECONDS: when idle connections are closed, 1 to 3600 s. (default: 75)")
    var idleTimeoutSeconds: String?

    @Option(help: "WHORL_MAX_BODY_MEMORY_BYTES: all bodies together, 1048576 to 68719476736. (default: 100663296)")
    var maxBodyMemoryBytes: String?

    @Option(help: "WHORL_MAX_CONNECTIONS: connections at once, 1 to 100000. (default: 5000)")
    var maxConnections: String?

    @Option(
        help:
            "WHORL_MAX_CONNECTIONS_PER_ADDRESS: from one address, trusted proxies excepted, 1 to 100000. (default: 1000)"
    )
    var maxConnectionsPerAddress: String?

    @Option(help: "WHORL_HEAD_TIMEOUT_SECONDS: how long the head of a request may take, 1 to 600 s. (default: 10)")
    var headTimeoutSeconds: String?

    @Option(help: "WHORL_BODY_TIMEOUT_SECONDS: how long a body may take, 1 to 3600 s. (default: 30)")
    var bodyTimeoutSeconds: String?

    @Option(help: "WHORL_ITEMS_PER_MINUTE: items of all projects per minute, 0 for no limit. (default: 0)")
    var itemsPerMinute: String?

    @Option(help: "WHORL_PROJECT_ITEMS_PER_MINUTE: items of each project per minute, 0 for no limit. (default: 0)")
    var projectItemsPerMinute: String?

    @Option(
        help: "WHORL_FAR_OVER_LIMIT_FACTOR: times its limit before a sender is refused unseen, 1 to 1000. (default: 10)"
    )
    var farOverLimitFactor: String?

    @Option(
        help: "WHORL_BAD_CREDENTIALS_PER_MINUTE: per address before it is refused unseen, 1 to 1000000. (default: 100)"
    )
    var badCredentialsPerMinute: String?

    @Option(help: "WHORL_PAYLOADS_PER_MINUTE: payloads a fingerprint may store, 1 to 1000000. (default: 500)")
    var payloadsPerMinute: String?

    @Option(help: "WHORL_MAX_STRING_BYTES: a string of an event, 256 to 1048576. (default: 8192)")
    var maxStringBytes: String?

    @Option(help: "WHORL_MAX_DEPTH: nesting of an event, 8 to 100. (default: 24)")
    var maxDepth: String?

    @Option(help: "WHORL_MAX_MEMBERS: members of an object, 10 to 100000. (default: 1000)")
    var maxMembers: String?

    @Option(help: "WHORL_MAX_ELEMENTS: elements of a list, 10 to 100000. (default: 1000)")
    var maxElements: String?

    @Option(help: "WHORL_MAX_FRAMES: frames of a stack, 10 to 250. (default: 250)")
    var maxFrames: String?

    @Option(help: "WHORL_MAX_EXCEPTIONS: exceptions of a chain, 2 to 50. (default: 50)")
    var maxExceptions: String?

    @Option(help: "WHORL_MAX_BREADCRUMBS: breadcrumbs of an event, 1 to 10000. (default: 100)")
    var maxBreadcrumbs: String?

    @Option(help: "WHORL_MAX_TAGS: tags of an event, 1 to 1000. (default: 200)")
    var maxTags: String?

    @Option(help: "WHORL_SPOOL_MAX_BYTES: what the spool may hold, 1048576 to 1099511627776. (default: 1073741824)")
    var spoolMaxBytes: String?

    @Option(help: "WHORL_SPOOL_MAX_AGE_HOURS: how old its oldest record may be, 1 to 8760 h. (default: 168)")
    var spoolMaxAgeHours: String?

    @Option(help: "WHORL_CANARY: on or off: an event of our own every minute. (default: on)")
    var canary: String?

    @Option(help: "WHORL_FINGERPRINT_RULES: a file with fingerprint rules for all projects. (default: unset)")
    var fingerprintRules: String?

    @Option(help: "WHORL_STACK_RULES: a file with stack-trace rules for all projects. (default: unset)")
    var stackRules: String?

    /// The values that were given, by the name of the variable.
    var flags: [String: String] {
        [
            "HOST": host, "PORT": port, "WHORL_PUBLIC_URL": publicURL, "WHORL_TRUSTED_PROXIES": trustedProxies,
            "WHORL_DATA_DIR": dataDir, "WHORL_BOOTSTRAP_ORG": bootstrapOrg,
            "WHORL_BOOTSTRAP_PROJECT": bootstrapProject, "WHORL_LOG_LEVEL": logLevel, "WHORL_LOG_FORMAT": logFormat,
            "WHORL_RETENTION_DAYS": retentionDays, "WHORL_MAX_BODY_BYTES": maxBodyBytes,
            "WHORL_MAX_INFLATED_BYTES": maxInflatedBytes, "WHORL_MAX_EVENT_BYTES": maxEventBytes,
            "WHORL_MAX_ATTACHMENT_BYTES": maxAttachmentBytes, "WHORL_MAX_ENVELOPE_ITEMS": maxEnvelopeItems,
            "WHORL_BATCH_EVENTS": batchEvents, "WHORL_BATCH_BYTES": batchBytes,
            "WHORL_BATCH_LINGER_MS": batchLingerMs, "WHORL_QUEUE_EVENTS": queueEvents,
            "WHORL_QUEUE_BYTES": queueBytes, "WHORL_MAX_BODY_MEMORY_BYTES": maxBodyMemoryBytes,
            "WHORL_MAX_CONNECTIONS": maxConnections, "WHORL_HEAD_TIMEOUT_SECONDS": headTimeoutSeconds,
            "WHORL_BODY_TIMEOUT_SECONDS": bodyTimeoutSeconds,
            "WHORL_MAX_CONNECTIONS_PER_ADDRESS": maxConnectionsPerAddress,
            "WHORL_ITEMS_PER_MINUTE": itemsPerMinute,
            "WHORL_PROJECT_ITEMS_PER_MINUTE": projectItemsPerMinute, "WHORL_FAR_OVER_LIMIT_FACTOR": farOverLimitFactor,
            "WHORL_BAD_CREDENTIALS_PER_MINUTE": badCredentialsPerMinute, "WHORL_PAYLOADS_PER_MINUTE": payloadsPerMinute,
            "WHORL_MAX_STRING_BYTES": maxStringBytes, "WHORL_MAX_DEPTH": maxDepth, "WHORL_MAX_MEMBERS": maxMembers,
            "WHORL_MAX_ELEMENTS": maxElements, "WHORL_MAX_FRAMES": maxFrames, "WHORL_MAX_EXCEPTIONS": maxExceptions,
            "WHORL_MAX_BREADCRUMBS": maxBreadcrumbs, "WHORL_MAX_TAGS": maxTags, "WHORL_SPOOL_MAX_BYTES": spoolMaxBytes,
            "WHORL_SPOOL_MAX_AGE_HOURS": spoolMaxAgeHours, "WHORL_CANARY": canary,
            "WHORL_FINGERPRINT_RULES": fingerprintRules, "WHORL_STACK_RULES": stackRules,
            "WHORL_DATABASE_CONNECTIONS": databaseConnections,
            "WHORL_DATABASE_TIMEOUT_MS": databaseTimeoutMs, "WHORL_IDLE_TIMEOUT_SECONDS": idleTimeoutSeconds,
        ]
        .compactMapValues { $0 }
    }
}
