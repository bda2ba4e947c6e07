import WhorlProtocol

/// A family of platforms with the same naming scheme in compilers and runtimes.
enum PlatformFamily: Sendable {
    case python
    /// Browsers and Node.
    case script
    case jvm
    case dotnet
    case go
    case ruby
    case php
    /// Languages that compile to machine code: C, C++, Objective-C, Rust, Swift.
    case native
    case beam
    case dart
    case other

    /// Creates the family of a platform from the platform name of Sentry.
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

    /// Whether stack frames contain the original source line.
    var sendsSourceLines: Bool { self == .python || self == .script || self == .ruby || self == .php }
}
