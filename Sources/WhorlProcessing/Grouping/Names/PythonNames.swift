/// Cleans names of Python.
enum PythonNames {
    /// Whether a frame is a comprehension, which has a separate frame only before Python 3.12.
    static func isComprehension(_ name: String) -> Bool {
        guard name.hasSuffix("comp>") else { return false }
        return name.hasSuffix("<listcomp>") || name.hasSuffix("<dictcomp>") || name.hasSuffix("<setcomp>")
    }

    /// The function name without enclosing functions: `outer.<locals>.inner` becomes `inner`.
    static func function(_ name: String) -> String {
        guard name.hasByte("<") else { return name }
        if let locals = name.ranges(of: "<locals>.").last { return String(name[locals.upperBound...]) }
        return name
    }
}
