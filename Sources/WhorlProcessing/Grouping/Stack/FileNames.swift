import WhorlProtocol

/// Removes the parts of file names that change between builds: folders, bundler hashes, versions, query strings.
enum FileNames {
    /// File names that are too common to identify a file, so that the folder is added.
    private static let common: Set<String> = [
        "index.js", "index.ts", "index.tsx", "index.jsx", "index.mjs", "index.php", "main.js", "main.ts", "main.go",
        "main.rs",
        "mod.rs", "lib.rs", "__init__.py", "__main__.py", "route.ts", "route.js", "page.tsx", "page.js", "handler.js",
        "+page.svelte", "+page.server.ts", "+page.ts", "+layout.svelte", "+layout.server.ts", "+server.ts", "index.vue",
        "[id].ts", "[id].tsx", "[slug].tsx", "layout.tsx", "loading.tsx", "error.tsx", "controller.php",
        "controller.js",
        "controller.ts", "handlers.js", "handlers.py", "handlers.ts", "routes.py", "routes.ts", "page.dart", "sync.rb",
        "tasks.py", "urls.py", "forms.py", "serializers.py", "service.js", "service.py", "types.ts", "model.go",
        "service.go",
        "users_controller.rb", "helpers.rb", "helper.php", "functions.php", "mod.ts", "main.py", "app.py", "main.dart",
        "handler.ts", "handler.go", "utils.js", "utils.ts", "utils.py", "views.py", "models.py", "service.ts",
        "helper.rb",
    ]
    /// Folder names that are too common to identify a file.
    private static let commonFolders: Set<String> = [
        "src", "app", "lib", "dist", "build", "out", "bin", "public", "static", "assets", "js", "main", "www", "htdocs",
        "",
    ]

    static func file(of frame: Frame, _ family: PlatformFamily) -> (name: String?, ignored: FrameFacts.Reason?) {
        guard var path = frame.filename else { return (nil, nil) }
        if path == "<anonymous>" || path == "[native code]" || path == "native code" { return (path, .noFile) }
        if family == .php { path = PHPNames.file(path) }
        if let end = path.utf8.firstIndex(where: { $0 == UInt8(ascii: "?") || $0 == UInt8(ascii: "#") }),
            family == .script || path.utf8.starts(with: "http".utf8)
        {
            path = String(path[..<end])
        }
        let parts = path.utf8.split { $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: "\\") }
        guard let last = parts.last, var base = String(last) else { return (nil, .noFile) }
        if path.hasPrefix("blob:") { return (base, .scriptURL) }
        if family == .script { base = withoutBundleHash(base) }
        var name = withoutHashes(base.lowercased())
        if common.contains(name), parts.count > 1, let folder = String(parts[parts.count - 2])?.lowercased(),
            !commonFolders.contains(folder)
        {
            name = withoutHashes(folder) + "/" + name
        }
        if family == .script, isURL(frame.absPath ?? frame.filename), !isMeaningful(name) { return (name, .scriptURL) }
        return (name, nil)
    }

    /// The name of an image without its folder and the version after `.so`.
    static func image(_ path: String) -> String {
        let base =
            path.utf8.split { $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: "\\") }.last.flatMap { String($0) } ?? path
        guard let version = base.firstRange(of: ".so.") else { return base.lowercased() }
        return (base[..<version.lowerBound] + ".so").lowercased()
    }

    /// Replaces runs of 16 or more hexadecimal digits, as in the names of compiled templates, with `<hash>`.
    static func withoutLongHashes(_ name: String) -> String {
        guard name.utf8.count >= 16, name.hasDigit() else { return name }
        let bytes = Array(name.utf8)
        var result: [UInt8] = []
        var at = 0
        while at < bytes.count {
            var end = at
            while end < bytes.count, NameScanner.isHex(bytes[end]) { end += 1 }
            if end - at >= 16 {
                result += Array("<hash>".utf8)
                at = end
            } else {
                end = max(end, at + 1)
                result += bytes[at..<end]
                at = end
            }
        }
        return result.count == bytes.count ? name : String(decoding: result, as: UTF8.self)
    }

    /// Replaces parts between separators such as dots, dashes and underscores: hashes with `<hash>`, numbers with
    /// `<n>`.
    static func withoutHashes(_ name: String) -> String {
        guard name.hasDigit() || name.hasPrefix("chunk-") else { return name }
        var result: [UInt8] = []
        var part: [UInt8] = []
        func flush() {
            if isHash(part) {
                result += Array("<hash>".utf8)
            } else if !part.isEmpty, part.allSatisfy(NameScanner.isDigit), !result.isEmpty || part.count > 2 {
                result += Array("<n>".utf8)
            } else {
                result += part
            }
            part.removeAll(keepingCapacity: true)
        }
        for byte in name.utf8 {
            switch byte {
            case UInt8(ascii: ":"), UInt8(ascii: "<"), UInt8(ascii: ">"), UInt8(ascii: "."), UInt8(ascii: "-"),
                UInt8(ascii: "_"), UInt8(ascii: "~"), UInt8(ascii: "/"),
                UInt8(ascii: "@"):
                flush()
                result.append(byte)
            default: part.append(byte)
            }
        }
        flush()
        return String(decoding: result, as: UTF8.self)
    }

    /// Whether a part of a name is a hash: hexadecimal digits with a decimal digit, or letters and digits that
    /// alternate often.
    private static func isHash(_ part: [UInt8]) -> Bool {
        // esbuild: chunk-ABCDEFGH.
        if part.count == 8, part.allSatisfy({ NameScanner.isUpper($0) || NameScanner.isDigit($0) }) { return true }
        guard part.count >= 6, part.contains(where: NameScanner.isDigit) else { return false }
        if part.allSatisfy(NameScanner.isHex) { return part.count >= 6 }
        guard part.count >= 8, part.allSatisfy(NameScanner.isWord) else { return false }
        var changes = 0
        for (left, right) in zip(part, part.dropFirst())
        where NameScanner.isDigit(left) != NameScanner.isDigit(right) { changes += 1 }
        return changes >= 3
    }

    /// Replaces the hash that Vite and Rollup append, as in `index-BX3k9_aQ.js`, with `<hash>`.
    ///
    /// The hash is eight Base64 characters after a dash or a dot. It must contain a digit, or a capital letter after
    /// the first character, so that words are kept.
    private static func withoutBundleHash(_ name: String) -> String {
        guard let dot = name.lastIndex(of: ".") else { return name }
        let stem = name[..<dot].utf8
        guard stem.count > 9 else { return name }
        let dash = stem.index(stem.endIndex, offsetBy: -9)
        guard stem[dash] == UInt8(ascii: "-") || stem[dash] == UInt8(ascii: ".") else { return name }
        let tail = stem[stem.index(after: dash)...]
        let isHash =
            tail.allSatisfy { NameScanner.isWord($0) || $0 == UInt8(ascii: "-") }
            && (tail.contains(where: NameScanner.isDigit) || tail.dropFirst().contains(where: NameScanner.isUpper))
        return isHash ? String(name[..<dash]) + "-<hash>" + name[dot...] : name
    }

    private static func isURL(_ path: String?) -> Bool {
        guard let path, let colon = path.utf8.prefix(20).firstIndex(of: UInt8(ascii: ":")) else { return false }
        return path.utf8[colon...].starts(with: "://".utf8) && !path.utf8.starts(with: "webpack".utf8)
            && !path.utf8.starts(with: "app:".utf8) && !path.utf8.starts(with: "file:".utf8)
    }

    /// Whether the name of a script has a part that is not a generic bundle name.
    private static func isMeaningful(_ name: String) -> Bool {
        let generic: Set<Substring> = [
            "main", "app", "index", "bundle", "chunk", "vendor", "vendors", "runtime", "common", "commons", "polyfills",
            "framework", "page", "layout", "webpack", "static", "min", "js", "mjs", "cjs", "umd", "prod", "es", "esm",
            "hash", "n",
            "html", "htm", "_app", "pages", "bootstrap", "scripts", "script", "all", "client", "server", "shared",
            "core",
        ]
        return name.split { !$0.isLetter }.contains { $0.count > 2 && !generic.contains($0) }
            && (name.hasSuffix(".js") || name.hasSuffix(".mjs") || name.hasSuffix(".ts") || name.hasSuffix(".tsx")
                || name.hasSuffix(".jsx") || name.hasSuffix(".vue") || name.hasSuffix(".svelte"))
    }
}
