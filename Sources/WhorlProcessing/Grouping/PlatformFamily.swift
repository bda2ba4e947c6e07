import WhorlProtocol

/// Platforms whose compilers and runtimes name things alike.
enum PlatformFamily: Sendable {
    case python
    /// Browsers and Node.
    case script
    case jvm
    case dotnet
    case go
    case ruby
    case php
    /// What is compiled to machine code: C, C++, Objective-C, Rust, Swift.
    case native
    case beam
    case dart
    case other

    /// The family of a platform by Sentry's word for it.
    init(_ platform: String) {
        self =
            switch platform {
            case "python": .python
            case "javascript", "node", "typescript": .script
            case "java", "kotlin", "groovy", "scala", "android", "clojure": .jvm
            case "csharp", "dotnet", "fsharp", "vb": .dotnet
            case "go": .go
            case "ruby": .ruby
            case "php": .php
            case "native", "c", "cpp", "cocoa", "objc", "swift", "rust": .native
            case "elixir", "erlang": .beam
            case "dart", "flutter": .dart
            default: .other
            }
    }

    /// Whether frames carry the source line as it was written.
    var shipsSource: Bool { self == .python || self == .script || self == .ruby || self == .php }
}
