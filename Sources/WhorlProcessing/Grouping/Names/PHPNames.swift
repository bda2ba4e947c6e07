/// Names of PHP.
enum PHPNames {
    /// `App\{closure}`, `{closure:App\Shop::total():12}`, `class@anonymous\0/srv/app/x.php:12$0::run` by what people wrote.
    static func function(_ name: String) -> String? {
        guard name.hasByte("{@[:\\") || name.hasByte("\u{0}") else { return name }
        if name.hasPrefix("[Anonymous") || name.hasPrefix("[anonymous") { return nil }
        var text = name
        if let anonymous = text.firstRange(of: "class@anonymous") {
            let rest = text[anonymous.upperBound...]
            let method = rest.ranges(of: "::").last.map { String(rest[$0.upperBound...]) }
            return method.map { "class@anonymous::\($0)" } ?? "class@anonymous"
        }
        if let at = text.firstRange(of: "@anonymous") {
            let rest = text[at.upperBound...]
            let method = rest.ranges(of: "::").last.map { "::" + rest[$0.upperBound...] } ?? ""
            text = text[..<at.upperBound] + method
        }
        // Until 8.3 a closure says only its namespace, from 8.4 on where it was made.
        if text.hasByte("{"), text.has("{closure") {
            return "{closure}"
        }
        return text
    }

    /// `eval()'d code` and numbered temporary files count as where they come from.
    static func file(_ path: String) -> String {
        guard path.hasByte("'(") else { return path }
        if let code = path.firstRange(of: "("), path.has("eval()'d code") {
            return String(path[..<code.lowerBound])
        }
        return path
    }
}
