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

    @Option(help: "WHORL_MAX_INFLATED_BYTES: a body after inflating, 1024 to 1073741824. (default: 104857600)")
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

    @Option(help: "WHORL_DATABASE_CONNECTIONS: most connections, 6 to 100. (default: 8)")
    var databaseConnections: String?

    @Option(help: "WHORL_DATABASE_TIMEOUT_MS: how long a batch may take, 100 to 60000 ms. (default: 1500)")
    var databaseTimeoutMs: String?

    @Option(help: "WHORL_IDLE_TIMEOUT_SECONDS: when idle connections are closed, 1 to 3600 s. (default: 75)")
    var idleTimeoutSeconds: String?

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
            "WHORL_QUEUE_BYTES": queueBytes, "WHORL_DATABASE_CONNECTIONS": databaseConnections,
            "WHORL_DATABASE_TIMEOUT_MS": databaseTimeoutMs, "WHORL_IDLE_TIMEOUT_SECONDS": idleTimeoutSeconds,
        ]
        .compactMapValues { $0 }
    }
}
