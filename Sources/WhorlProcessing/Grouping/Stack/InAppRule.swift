import WhorlProtocol

/// Decides whether a frame is in-app.
///
/// The flag of the SDK applies, except for frames that are known to be libraries.
/// Without a flag, the usual library locations of the platform decide.
enum InAppRule {
    /// Whether a frame is in-app; `function` is the demangled name of the function.
    static func isOwn(_ frame: Frame, _ family: PlatformFamily, function: String?) -> Bool {
        if frame.inApp == false { return false }
        if isSurelyLibrary(frame, family, function ?? frame.function ?? "") { return false }
        return frame.inApp == true || !isProbablyLibrary(frame, family)
    }

    /// Whether a frame is a library frame even if the SDK says otherwise.
    private static func isSurelyLibrary(_ frame: Frame, _ family: PlatformFamily, _ function: String) -> Bool {
        let path = frame.absPath ?? frame.filename ?? ""
        switch family {
        case .script:
            return path.has("/node_modules/") || path.hasPrefix("node_modules/")
                || path.hasPrefix("node:") || path.hasPrefix("internal/")
                || path.hasPrefix("chrome-extension://") || path.hasPrefix("moz-extension://")
                || path.hasPrefix("safari-extension://") || path.hasPrefix("safari-web-extension://")
                || path.has("webpack/bootstrap") || path.has("/webpack/runtime")
        case .go:
            let module = frame.module ?? ""
            return path.has("/pkg/mod/") || path.has("/vendor/")
                || path.hasPrefix("/usr/local/go/src/") || path.hasPrefix("/usr/lib/go")
                || !module.isEmpty && isGoStandard(module)
        case .jvm: return Libraries.jvmStandard.contains { (frame.module ?? "").hasPrefix($0) }
        case .dotnet: return Libraries.dotnetStandard.contains { (frame.module ?? "").hasPrefix($0) }
        case .native:
            return Libraries.nativeRuntime.contains { function.hasPrefix($0) }
                || Libraries.isSystemImage(frame.package ?? "")
                || path.has("/rustc/") || path.has("/.cargo/registry/")
                || path.has("/.cargo/git/") || path.has("/.build/checkouts/")
                || path.has("/SourcePackages/checkouts/")
        case .dart:
            return path.hasPrefix("dart:") || path.hasPrefix("package:flutter/") || frame.package == "flutter"
                || path.has("/.pub-cache/")
        case .ruby:
            return path.has("/gems/") || path.hasPrefix("<internal:")
                || path.has("/lib/ruby/")
        case .php, .python, .beam, .other: return false
        }
    }

    /// Whether a frame is a library frame if the SDK does not say.
    private static func isProbablyLibrary(_ frame: Frame, _ family: PlatformFamily) -> Bool {
        let path = frame.absPath ?? frame.filename ?? ""
        let module = frame.module ?? ""
        switch family {
        case .python:
            return path.has("/site-packages/") || path.has("/dist-packages/")
                || path.has("/lib/python") || path.hasPrefix("<frozen")
                || path.has("\\lib\\site-packages\\")
                || path.has("\\Lib\\") || path.hasPrefix("site-packages/")
        case .script:
            return [
                "://unpkg.com/", "://cdn.jsdelivr.net/", "://cdnjs.cloudflare.com/", "://ajax.googleapis.com/",
                "://www.googletagmanager.com/", "://connect.facebook.net/", "://code.jquery.com/",
            ]
            .contains { path.has($0) }
        case .jvm: return Libraries.jvmFrameworks.contains { module.hasPrefix($0) }
        case .php: return path.has("/vendor/") || path.hasPrefix("vendor/") || path == "[internal]"
        case .beam: return Libraries.isBeamLibrary(module, path)
        case .native: return path.hasPrefix("/usr/include/") || path.hasPrefix("/usr/lib/")
        case .dart:
            return path.hasPrefix("package:") && Libraries.dartFrameworks.contains { path.hasPrefix("package:\($0)/") }
        case .go, .dotnet, .ruby, .other: return false
        }
    }

    /// Whether a package belongs to the standard library of Go.
    private static func isGoStandard(_ module: String) -> Bool {
        guard module != "main", !module.hasPrefix("main.") else { return false }
        let first = module.split(separator: "/", maxSplits: 1).first ?? ""
        return Libraries.goStandard.contains(String(first))
    }
}
