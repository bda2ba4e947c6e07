// swift-tools-version:6.2
import PackageDescription

// An application with targets of common names that imports only the client.
let package = Package(
    name: "consumer",
    platforms: [.macOS(.v15)],
    dependencies: [.package(name: "whorl", path: "../../..", traits: [])],
    targets: [
        .target(name: "API", dependencies: [.product(name: "WhorlClient", package: "whorl")]),
        .target(name: "Web", dependencies: ["API"]),
        .executableTarget(
            name: "Server",
            dependencies: ["API", "Web", .product(name: "WhorlClient", package: "whorl")]
        ),
    ]
)
