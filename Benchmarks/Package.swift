// swift-tools-version:6.2
import PackageDescription

let package = Package(
    name: "benchmarks",
    platforms: [.macOS(.v15)],
    dependencies: [.package(name: "whorl", path: "..")],
    targets: [
        .target(name: "EventSamples"),
        .executableTarget(name: "load", dependencies: ["EventSamples"]),
        .executableTarget(
            name: "micro",
            dependencies: ["EventSamples", .product(name: "WhorlCollector", package: "whorl")]
        ),
    ]
)
