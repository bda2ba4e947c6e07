// swift-tools-version:6.2
import PackageDescription

// The targets of Whorl, foundations first. docs/architecture.md describes what each target is for.

/// A product of another package, which only builds with one of these traits resolve and build.
///
/// An application that imports only the client disables all traits and gets no other package.
func external(_ product: String, _ package: String, alsoFor trait: String = "Server") -> Target.Dependency {
    .product(name: product, package: package, condition: .when(traits: ["Server", trait]))
}

let log = external("Logging", "swift-log")
let metrics = external("Metrics", "swift-metrics", alsoFor: "Hummingbird")
let coreMetrics = external("CoreMetrics", "swift-metrics")
let lifecycle = external("ServiceLifecycle", "swift-service-lifecycle")
let hummingbird = external("Hummingbird", "hummingbird", alsoFor: "Hummingbird")
let httpTypes = external("HTTPTypes", "swift-http-types", alsoFor: "Hummingbird")
let nioHTTPTypes = external("NIOHTTPTypes", "swift-nio-extras")
let nioHTTPTypesHTTP1 = external("NIOHTTPTypesHTTP1", "swift-nio-extras")
let nioHTTP1 = external("NIOHTTP1", "swift-nio")
let nioCore = external("NIOCore", "swift-nio")
let nioEmbedded = external("NIOEmbedded", "swift-nio")
let asyncAlgorithms = external("AsyncAlgorithms", "swift-async-algorithms")
let deque = external("DequeModule", "swift-collections")
let grdb = external("GRDB", "GRDB.swift")
let argumentParser = external("ArgumentParser", "swift-argument-parser")

let package = Package(
    name: "whorl",
    platforms: [.macOS(.v15)],
    products: [
        .executable(name: "whorl", targets: ["WhorlServer"]),
        .library(name: "WhorlClient", targets: ["WhorlClient"]),
        .library(name: "WhorlClientHummingbird", targets: ["WhorlClientHummingbird"]),
        .library(name: "WhorlTelemetry", targets: ["WhorlTelemetry"]),
    ],
    traits: [
        .default(enabledTraits: ["Server"]),
        .trait(name: "Server", description: "The collector and its tests."),
        .trait(name: "Hummingbird", description: "The client's middleware for Hummingbird."),
    ],
    dependencies: [
        .package(url: "https://github.com/hummingbird-project/hummingbird.git", from: "2.28.1", traits: []),
        .package(url: "https://github.com/apple/swift-async-algorithms.git", from: "1.1.4"),
        .package(url: "https://github.com/apple/swift-collections.git", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-log.git", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-metrics.git", from: "2.13.0"),
        .package(url: "https://github.com/apple/swift-nio.git", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-extras.git", from: "1.35.2"),
        .package(url: "https://github.com/apple/swift-http-types.git", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-argument-parser.git", from: "1.8.2"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle.git", from: "2.13.0"),
        .package(url: "https://github.com/groue/GRDB.swift.git", from: "7.10.0"),
    ],
    targets: [
        // C targets: module maps for system libraries, and C code of this package.
        .systemLibrary(name: "CWhorlPostgres", providers: [.apt(["libpq-dev"])]),
        .systemLibrary(
            name: "CWhorlCompression",
            providers: [.apt(["libdeflate-dev", "libbrotli-dev", "libzstd-dev"])]
        ),
        .systemLibrary(name: "CWhorlCrypto", providers: [.apt(["libssl-dev"])]),
        .target(name: "CWhorlProcess"),
        .target(name: "CWhorlSearch"),
        .target(name: "CWhorlDictionary"),
        .target(name: "CWhorlDemangle", linkerSettings: [.linkedLibrary("stdc++", .when(platforms: [.linux]))]),

        // Foundations, independent of the product.
        .target(name: "WhorlTelemetry", dependencies: [coreMetrics]),
        .target(name: "WhorlThreads"),
        // Faults that tests inject; empty in release builds.
        .target(name: "WhorlFaults"),
        .target(name: "WhorlServices", dependencies: [lifecycle, asyncAlgorithms, deque]),
        .target(
            name: "WhorlPostgres",
            dependencies: ["CWhorlPostgres", "WhorlThreads", "WhorlTelemetry", deque, log, lifecycle]
        ),
        .target(
            name: "WhorlPrivateCluster",
            dependencies: ["WhorlPostgres", "WhorlThreads", "WhorlServices", "CWhorlProcess", log, lifecycle]
        ),
        .target(name: "WhorlSchema", path: "sql", resources: [.embedInCode("migrations")]),
        .target(name: "WhorlProtocol"),

        // The collector, in the order in which an event passes through it.
        .target(
            name: "WhorlProcessing",
            dependencies: ["WhorlProtocol", "WhorlThreads", "CWhorlCrypto", "CWhorlSearch", "CWhorlDemangle"]
        ),
        .target(
            name: "WhorlStore",
            dependencies: [
                "WhorlProcessing", "WhorlProtocol", "WhorlPostgres", "WhorlSchema", "WhorlTelemetry", "WhorlThreads",
                "WhorlServices", "WhorlFaults", "CWhorlCompression", "CWhorlDictionary", deque, log, lifecycle,
            ]
        ),
        .target(
            name: "WhorlSpool",
            dependencies: ["WhorlTelemetry", "WhorlThreads", "CWhorlCompression", grdb, deque, log]
        ),
        .target(
            name: "WhorlIngest",
            dependencies: [
                "WhorlStore", "WhorlSpool", "WhorlProcessing", "WhorlProtocol", "WhorlTelemetry", "WhorlThreads",
                "WhorlPostgres", "WhorlServices", "WhorlFaults", "CWhorlCompression", log, lifecycle,
            ]
        ),
        .target(
            name: "WhorlReplay",
            dependencies: [
                "WhorlIngest", "WhorlStore", "WhorlSpool", "WhorlProcessing", "WhorlProtocol", "WhorlPostgres",
                "WhorlTelemetry", "WhorlThreads", "WhorlServices", "WhorlFaults", log, lifecycle,
            ]
        ),
        .target(
            name: "WhorlHTTP",
            dependencies: [
                "WhorlIngest", "WhorlProcessing", "WhorlProtocol", "WhorlPostgres", "WhorlTelemetry", hummingbird,
                httpTypes, log, nioCore, nioHTTP1, nioHTTPTypes, nioHTTPTypesHTTP1,
            ]
        ),
        .target(
            name: "WhorlAPI",
            dependencies: [
                "WhorlStore", "WhorlProcessing", "WhorlProtocol", "WhorlPostgres", "WhorlTelemetry", "WhorlThreads",
                hummingbird, httpTypes, log, nioCore,
            ]
        ),
        .target(
            name: "WhorlOperations",
            dependencies: [
                "WhorlTelemetry", "WhorlThreads", "WhorlServices", deque, hummingbird, httpTypes, lifecycle, log,
                nioCore,
            ]
        ),
        .executableTarget(
            name: "WhorlServer",
            dependencies: [
                "WhorlHTTP", "WhorlIngest", "WhorlReplay", "WhorlAPI", "WhorlOperations", "WhorlStore", "WhorlSpool",
                "WhorlPrivateCluster", "WhorlPostgres", "WhorlProcessing", "WhorlProtocol", "WhorlServices",
                "WhorlTelemetry", "WhorlClient", hummingbird, httpTypes, lifecycle, log, metrics, argumentParser,
                asyncAlgorithms,
                nioCore,
            ]
        ),

        // The libraries that applications import, without server code.
        .target(name: "WhorlClient", dependencies: ["WhorlProtocol"]),
        .target(
            name: "WhorlClientHummingbird",
            dependencies: ["WhorlClient", hummingbird, httpTypes, metrics]
        ),

        // Tests and test support.
        .target(
            name: "WhorlTestSupport",
            dependencies: [
                "WhorlPrivateCluster", "WhorlPostgres", "WhorlStore", "WhorlSchema", "WhorlProtocol", "WhorlTelemetry",
                "CWhorlProcess",
                "CWhorlCompression", log,
            ],
            path: "Tests/WhorlTestSupport"
        ),
        .testTarget(name: "WhorlTelemetryTests", dependencies: ["WhorlTelemetry", "WhorlTestSupport", coreMetrics]),
        .testTarget(
            name: "WhorlPostgresTests",
            dependencies: ["WhorlPrivateCluster", "WhorlPostgres", "WhorlTestSupport", log]
        ),
        .testTarget(name: "WhorlProtocolTests", dependencies: ["WhorlProtocol", "WhorlTestSupport"]),
        .testTarget(
            name: "WhorlProcessingTests",
            dependencies: ["WhorlProcessing", "WhorlProtocol", "WhorlTestSupport"]
        ),
        .testTarget(
            name: "WhorlStoreTests",
            dependencies: ["WhorlStore", "WhorlProcessing", "WhorlProtocol", "WhorlPostgres", "WhorlTestSupport"]
        ),
        .testTarget(
            name: "WhorlSpoolTests",
            dependencies: ["WhorlSpool", "WhorlTelemetry", "WhorlThreads", "WhorlTestSupport", grdb, log]
        ),
        .testTarget(
            name: "WhorlIngestTests",
            dependencies: ["WhorlIngest", "WhorlSpool", "WhorlStore", "WhorlProtocol", "WhorlTestSupport"]
        ),
        .testTarget(name: "WhorlServicesTests", dependencies: ["WhorlServices"]),
        .testTarget(name: "WhorlReplayTests", dependencies: ["WhorlReplay"]),
        .testTarget(
            name: "WhorlHTTPTests",
            dependencies: [
                "WhorlHTTP", "WhorlIngest", "WhorlPostgres", "WhorlSpool", "WhorlStore", "WhorlTelemetry",
                "WhorlTestSupport", httpTypes, log, nioCore, nioEmbedded, nioHTTP1, nioHTTPTypes, nioHTTPTypesHTTP1,
            ]
        ),
        .testTarget(name: "WhorlOperationsTests", dependencies: ["WhorlOperations", "WhorlTelemetry"]),
        .testTarget(
            name: "WhorlClientTests",
            dependencies: ["WhorlClient", "WhorlClientHummingbird", "WhorlProtocol", "WhorlTestSupport", hummingbird]
        ),
        .testTarget(
            name: "WhorlFaultTests",
            dependencies: [
                "WhorlServer", "WhorlStore", "WhorlPrivateCluster", "WhorlPostgres", "WhorlProtocol",
                "WhorlTestSupport",
            ]
        ),
        .testTarget(
            name: "WhorlServerTests",
            dependencies: [
                "WhorlServer", "WhorlHTTP", "WhorlAPI", "WhorlClient", "WhorlPrivateCluster", "WhorlPostgres",
                "WhorlStore", "WhorlProtocol", "WhorlTestSupport", "CWhorlCompression", nioHTTP1,
            ]
        ),
    ]
)

for target in package.targets where target.type != .system {
    var settings = target.swiftSettings ?? []
    settings += [
        .swiftLanguageMode(.v6),
        .treatAllWarnings(as: .error),
        .enableUpcomingFeature("ExistentialAny"),
    ]
    target.swiftSettings = settings
}
