// swift-tools-version:6.2
import PackageDescription

// The targets that `micro` measures are compiled here from linked folders, so that it can call internal declarations.
let log = Target.Dependency.product(name: "Logging", package: "swift-log")
let deque = Target.Dependency.product(name: "DequeModule", package: "swift-collections")
let asyncAlgorithms = Target.Dependency.product(name: "AsyncAlgorithms", package: "swift-async-algorithms")
let lifecycle = Target.Dependency.product(name: "ServiceLifecycle", package: "swift-service-lifecycle")

let package = Package(
    name: "benchmarks",
    platforms: [.macOS(.v15)],
    dependencies: [
        .package(url: "https://github.com/apple/swift-async-algorithms.git", from: "1.1.4"),
        .package(url: "https://github.com/apple/swift-collections.git", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-log.git", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-metrics.git", from: "2.13.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle.git", from: "2.13.0"),
    ],
    targets: [
        .systemLibrary(name: "CWhorlPostgres"),
        .systemLibrary(name: "CWhorlCompression"),
        .systemLibrary(name: "CWhorlCrypto"),
        .target(name: "CWhorlProcess"),
        .target(name: "CWhorlSearch"),
        .target(name: "CWhorlDictionary"),
        .target(name: "CWhorlDemangle", linkerSettings: [.linkedLibrary("stdc++", .when(platforms: [.linux]))]),
        .target(
            name: "WhorlTelemetry",
            dependencies: [.product(name: "CoreMetrics", package: "swift-metrics")]
        ),
        .target(
            name: "WhorlPostgres",
            dependencies: ["CWhorlPostgres", "WhorlThreads", "WhorlTelemetry", deque, log, lifecycle]
        ),
        .target(
            name: "WhorlPrivateCluster",
            dependencies: ["WhorlPostgres", "WhorlThreads", "WhorlServices", "CWhorlProcess", log, lifecycle]
        ),
        .target(name: "WhorlSchema", resources: [.embedInCode("migrations")]),
        .target(name: "WhorlThreads"),
        .target(name: "WhorlFaults"),
        .target(name: "WhorlServices", dependencies: [lifecycle, asyncAlgorithms, deque]),
        .target(name: "WhorlProtocol"),
        .target(
            name: "WhorlProcessing",
            dependencies: ["WhorlProtocol", "WhorlThreads", "CWhorlCrypto", "CWhorlSearch", "CWhorlDemangle"]
        ),
        .target(
            name: "WhorlStore",
            dependencies: [
                "WhorlProcessing", "WhorlProtocol", "WhorlPostgres", "WhorlSchema", "WhorlTelemetry", "WhorlThreads",
                "WhorlFaults", "WhorlServices", "CWhorlCompression", "CWhorlDictionary", deque, log, lifecycle,
            ]
        ),
        .target(name: "EventSamples"),
        .target(name: "BenchmarkRecord"),
        .target(name: "Processes"),
        .executableTarget(name: "load", dependencies: ["EventSamples", "BenchmarkRecord", "Processes"]),
        .executableTarget(
            name: "micro",
            dependencies: [
                "EventSamples", "BenchmarkRecord", "Processes", "WhorlProcessing", "WhorlProtocol", "WhorlStore",
                "WhorlPrivateCluster", "CWhorlCompression",
            ]
        ),
    ]
)
