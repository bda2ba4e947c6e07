extension Setting {
    // MARK: - Address

    static let host = text("HOST", default: "127.0.0.1", "a name or an address", "Address on which HTTP listens.")
    static let port = integer(
        "PORT",
        default: 8_000,
        0...65_535,
        .none,
        "Port on which HTTP listens; 0 picks a free one."
    )
    static let publicURL = text(
        "WHORL_PUBLIC_URL",
        default: "http://HOST:PORT",
        "an http or https URL such as https://errors.example.com",
        "Base of DSNs and permalinks."
    )
    static let trustedProxies = text(
        "WHORL_TRUSTED_PROXIES",
        "addresses and networks such as 10.0.0.0/8, separated by commas",
        "Proxies whose X-Forwarded-For header is trusted."
    )
    static let metricsToken = secret(
        "WHORL_METRICS_TOKEN",
        "Bearer token for /metrics; without it everybody who reaches the port may read metrics."
    )

    // MARK: - Data

    static let databaseURL = secret(
        "DATABASE_URL",
        "URL of the Postgres database, in any form that libpq reads; without it Whorl runs a private Postgres in the data directory."
    )
    static let dataDirectory = text(
        "WHORL_DATA_DIR",
        default: "./.whorl",
        "a directory",
        "Directory for the spool, the copy of the keys and the private Postgres; every collector needs its own."
    )
    static let databaseConnections = integer(
        "WHORL_DATABASE_CONNECTIONS",
        default: 10,
        8...100,
        .none,
        "Maximum number of connections to the database."
    )
    static let databaseTimeout = integer(
        "WHORL_DATABASE_TIMEOUT_MS",
        default: 1_000,
        100...60_000,
        .milliseconds,
        "Time limit for storing a batch; after it the events go to the spool."
    )
    static let retentionDays = integer(
        "WHORL_RETENTION_DAYS",
        default: 90,
        1...3_650,
        .days,
        "How long events are kept; the counts of issues stay."
    )
    static let spoolMaxBytes = integer(
        "WHORL_SPOOL_MAX_BYTES",
        default: 1 << 30,
        1_048_576...(1 << 40),
        .bytes,
        "Maximum number of bytes in the spool; further events are refused."
    )
    static let spoolMaxAge = integer(
        "WHORL_SPOOL_MAX_AGE_HOURS",
        default: 168,
        1...8_760,
        .hours,
        "Age of the oldest event in the spool at which further events are refused."
    )

    // MARK: - First start

    static let bootstrapOrganization = text(
        "WHORL_BOOTSTRAP_ORG",
        "1 to 50 lower-case letters, digits, '-' and '_', not only digits",
        "Organization that is created at start when it does not exist."
    )
    static let bootstrapProject = text(
        "WHORL_BOOTSTRAP_PROJECT",
        "1 to 50 lower-case letters, digits, '-' and '_', not only digits",
        "Project that is created at start when it does not exist."
    )
    static let bootstrapKey = secret(
        "WHORL_BOOTSTRAP_KEY",
        "Public key of that project: 32 lower-case hexadecimal digits."
    )
    static let bootstrapToken = secret(
        "WHORL_BOOTSTRAP_TOKEN",
        "API token with all scopes: 32 to 128 letters, digits, '_' and '-'."
    )

    // MARK: - Logs

    static let logLevel = word(
        "WHORL_LOG_LEVEL",
        default: "info",
        ["trace", "debug", "info", "notice", "warning", "error", "critical"],
        "Lowest level that is logged; logs go to standard error."
    )
    static let logFormat = word(
        "WHORL_LOG_FORMAT",
        default: "text on a terminal, else json",
        ["text", "json"],
        "Form of log lines."
    )

    // MARK: - Requests

    static let maxConnections = integer(
        "WHORL_MAX_CONNECTIONS",
        default: 5_000,
        1...100_000,
        .none,
        "Maximum number of open connections."
    )
    static let maxConnectionsPerAddress = integer(
        "WHORL_MAX_CONNECTIONS_PER_ADDRESS",
        default: 1_000,
        1...100_000,
        .none,
        "Maximum number of open connections from one address; trusted proxies are exempt."
    )
    static let headTimeout = integer(
        "WHORL_HEAD_TIMEOUT_SECONDS",
        default: 10,
        1...600,
        .seconds,
        "Time limit for the head of a request to arrive."
    )
    static let bodyTimeout = integer(
        "WHORL_BODY_TIMEOUT_SECONDS",
        default: 30,
        1...3_600,
        .seconds,
        "Time limit for the body of a request to arrive."
    )
    static let idleTimeout = integer(
        "WHORL_IDLE_TIMEOUT_SECONDS",
        default: 75,
        1...3_600,
        .seconds,
        "How long a connection may stay idle between requests."
    )
    static let maxBodyBytes = integer(
        "WHORL_MAX_BODY_BYTES",
        default: 20 << 20,
        1_024...(1 << 30),
        .bytes,
        "Largest body of a request, as it arrives."
    )
    static let maxInflatedBytes = integer(
        "WHORL_MAX_INFLATED_BYTES",
        default: 50 << 20,
        1_024...(1 << 30),
        .bytes,
        "Largest body of a request, decompressed."
    )
    static let maxBodyMemory = integer(
        "WHORL_MAX_BODY_MEMORY_BYTES",
        default: 96 << 20,
        1_048_576...(1 << 36),
        .bytes,
        "Memory for the bodies of all requests together."
    )
    static let maxEnvelopeItems = integer(
        "WHORL_MAX_ENVELOPE_ITEMS",
        default: 250,
        1...10_000,
        .none,
        "Maximum number of items of an envelope."
    )
    static let maxEventBytes = integer(
        "WHORL_MAX_EVENT_BYTES",
        default: 1 << 20,
        1_024...(100 << 20),
        .bytes,
        "Largest event."
    )
    static let maxAttachmentBytes = integer(
        "WHORL_MAX_ATTACHMENT_BYTES",
        default: 100 << 20,
        1_024...(1 << 30),
        .bytes,
        "Largest attachment."
    )

    // MARK: - Parts of an event

    static let maxStringBytes = integer(
        "WHORL_MAX_STRING_BYTES",
        default: 8_192,
        256...1_048_576,
        .bytes,
        "Longest string of an event; longer ones are cut, and the event notes it."
    )
    static let maxDepth = integer("WHORL_MAX_DEPTH", default: 24, 8...100, .none, "Deepest nesting of an event.")
    static let maxMembers = integer(
        "WHORL_MAX_MEMBERS",
        default: 1_000,
        10...100_000,
        .none,
        "Maximum number of members of an object."
    )
    static let maxElements = integer(
        "WHORL_MAX_ELEMENTS",
        default: 1_000,
        10...100_000,
        .none,
        "Maximum number of elements of a list."
    )
    static let maxFrames = integer(
        "WHORL_MAX_FRAMES",
        default: 250,
        10...250,
        .none,
        "Maximum number of frames of a stack trace."
    )
    static let maxExceptions = integer(
        "WHORL_MAX_EXCEPTIONS",
        default: 50,
        2...50,
        .none,
        "Maximum number of exceptions of a chain."
    )
    static let maxBreadcrumbs = integer(
        "WHORL_MAX_BREADCRUMBS",
        default: 100,
        1...10_000,
        .none,
        "Maximum number of breadcrumbs."
    )
    static let maxTags = integer("WHORL_MAX_TAGS", default: 200, 1...1_000, .none, "Maximum number of tags.")

    // MARK: - Rates

    static let itemsPerMinute = integer(
        "WHORL_ITEMS_PER_MINUTE",
        default: 0,
        0...1_000_000_000,
        .perMinute,
        "Limit on the items of all projects, over all collectors; 0 means no limit."
    )
    static let projectItemsPerMinute = integer(
        "WHORL_PROJECT_ITEMS_PER_MINUTE",
        default: 0,
        0...1_000_000_000,
        .perMinute,
        "Limit on the items of each project, over all collectors; 0 means no limit."
    )
    static let farOverLimitFactor = integer(
        "WHORL_FAR_OVER_LIMIT_FACTOR",
        default: 10,
        1...1_000,
        .none,
        "How many times its limit a key may send before its requests are refused without reading their bodies."
    )
    static let badCredentialsPerMinute = integer(
        "WHORL_BAD_CREDENTIALS_PER_MINUTE",
        default: 100,
        1...1_000_000,
        .perMinute,
        "Unknown keys that an address may send before further ones are refused without a lookup."
    )
    static let payloadsPerMinute = integer(
        "WHORL_PAYLOADS_PER_MINUTE",
        default: 500,
        1...1_000_000,
        .perMinute,
        "Payloads that one fingerprint stores; further events are counted and kept without their payload."
    )

    // MARK: - Batches

    static let batchEvents = integer(
        "WHORL_BATCH_EVENTS",
        default: 200,
        1...2_000,
        .none,
        "Events at which a batch is stored."
    )
    static let batchBytes = integer(
        "WHORL_BATCH_BYTES",
        default: 1 << 20,
        1_024...(64 << 20),
        .bytes,
        "Compressed bytes at which a batch is stored."
    )
    static let batchLinger = integer(
        "WHORL_BATCH_LINGER_MS",
        default: 5,
        0...1_000,
        .milliseconds,
        "How long the first event of a batch waits for others."
    )
    static let queueEvents = integer(
        "WHORL_QUEUE_EVENTS",
        default: 10_000,
        1...1_000_000,
        .none,
        "Maximum number of events that wait for a batch; further ones go to the spool."
    )
    static let queueBytes = integer(
        "WHORL_QUEUE_BYTES",
        default: 64 << 20,
        1_024...(1 << 30),
        .bytes,
        "Maximum number of compressed bytes that wait for a batch."
    )

    // MARK: - Grouping and checks

    static let fingerprintRules = text(
        "WHORL_FINGERPRINT_RULES",
        "a file of at most 64 KiB",
        "Fingerprint rules for all projects."
    )
    static let stackRules = text(
        "WHORL_STACK_RULES",
        "a file of at most 64 KiB",
        "Stack trace rules for all projects."
    )
    static let canary = word(
        "WHORL_CANARY",
        default: "on",
        ["on", "off"],
        "Whether the collector sends itself an event every minute and reads it back from the database."
    )

    /// Every setting, in the order of the help and of README.md.
    static let all: [Setting] = [
        host, port, publicURL, trustedProxies, metricsToken,
        databaseURL, dataDirectory, databaseConnections, databaseTimeout, retentionDays, spoolMaxBytes, spoolMaxAge,
        bootstrapOrganization, bootstrapProject, bootstrapKey, bootstrapToken,
        logLevel, logFormat,
        maxConnections, maxConnectionsPerAddress, headTimeout, bodyTimeout, idleTimeout, maxBodyBytes,
        maxInflatedBytes, maxBodyMemory, maxEnvelopeItems, maxEventBytes, maxAttachmentBytes,
        maxStringBytes, maxDepth, maxMembers, maxElements, maxFrames, maxExceptions, maxBreadcrumbs, maxTags,
        itemsPerMinute, projectItemsPerMinute, farOverLimitFactor, badCredentialsPerMinute, payloadsPerMinute,
        batchEvents, batchBytes, batchLinger, queueEvents, queueBytes,
        fingerprintRules, stackRules, canary,
    ]
}
