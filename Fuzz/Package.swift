// swift-tools-version:6.2
import PackageDescription

// The readers are compiled into the fuzzer's own module (the folder WhorlProtocol is a link), so that the sanitizers see
// into them.
let package = Package(
    name: "fuzz",
    targets: [
        .executableTarget(
            name: "FuzzReaders",
            swiftSettings: [
                .swiftLanguageMode(.v6), .unsafeFlags(["-sanitize=fuzzer,address", "-parse-as-library"]),
            ],
            linkerSettings: [.unsafeFlags(["-sanitize=fuzzer,address"])]
        )
    ]
)
