/// Cleans names of PHP.
enum PHPNames {
    /// The function name without generated parts; nil if it has no name.
    ///
    /// Handles forms such as `{closure:App\Shop::total():12}` and `class@anonymous\0/srv/app/x.php:12$0::run`.
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
        // Up to PHP 8.3 the name of a closure contains only its namespace, since 8.4 its source location.
        if text.hasByte("{"), text.has("{closure") {
            return "{closure}"
        }
        return text
    }

    /// The file name; `eval()'d code` becomes the file that contains the `eval`.
    static func file(_ path: String) -> String {
        guard path.hasByte("'(") else { return path }
        if let code = path.firstRange(of: "("), path.has("eval()'d code") {
            return String(path[..<code.lowerBound])
        }
        return path
    }
}
