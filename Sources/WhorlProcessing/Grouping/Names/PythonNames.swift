/// Names of Python.
enum PythonNames {
    /// Comprehensions are frames of their own before Python 3.12 and part of their function since.
    static func isComprehension(_ name: String) -> Bool {
        guard name.hasSuffix("comp>") else { return false }
        return name.hasSuffix("<listcomp>") || name.hasSuffix("<dictcomp>") || name.hasSuffix("<setcomp>")
    }

    /// The function without the functions around it: `outer.<locals>.inner` is `inner`.
    static func function(_ name: String) -> String {
        guard name.hasByte("<") else { return name }
        if let locals = name.ranges(of: "<locals>.").last { return String(name[locals.upperBound...]) }
        return name
    }
}
