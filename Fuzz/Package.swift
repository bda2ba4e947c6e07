// swift-tools-version:6.2
import PackageDescription

// The targets are compiled here from linked folders, so that the sanitizers instrument them.
let sanitized: [SwiftSetting] = [.swiftLanguageMode(.v6), .unsafeFlags(["-sanitize=fuzzer,address"])]

let package = Package(
    name: "fuzz",
    targets: [
        .systemLibrary(name: "CWhorlCompression"),
        .systemLibrary(name: "CWhorlCrypto"),
        .target(name: "CWhorlSearch"),
        .target(name: "CWhorlDemangle", linkerSettings: [.linkedLibrary("stdc++")]),
        .target(name: "WhorlThreads", swiftSettings: sanitized),
        .target(name: "WhorlProtocol", swiftSettings: sanitized),
        .target(
            name: "WhorlProcessing",
            dependencies: ["WhorlProtocol", "WhorlThreads", "CWhorlCrypto", "CWhorlSearch", "CWhorlDemangle"],
            swiftSettings: sanitized
        ),
        .executableTarget(
            name: "FuzzReaders",
            dependencies: ["WhorlProtocol", "WhorlProcessing", "CWhorlCompression"],
            swiftSettings: sanitized + [.unsafeFlags(["-parse-as-library"])],
            linkerSettings: [.unsafeFlags(["-sanitize=fuzzer,address"])]
        ),
    ]
)
