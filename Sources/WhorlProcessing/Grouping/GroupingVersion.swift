/// The versions of the grouping algorithm.
///
/// A version never changes: an improved algorithm gets a new number.
/// During the transition of a project to a new version, both are computed and the older one leads.
public enum GroupingVersion: Int, Sendable, Codable, CaseIterable {
    /// Uses the names and the in-app flags as the SDK sends them.
    case first = 1
    /// Removes additions of compilers and runtimes from names, corrects in-app flags, ignores noise and recursion.
    case second = 2
    /// Like the second version, but recognises functions that raise errors only at the crash end of a stack.
    ///
    /// Rust wraps `main`, threads and tasks in functions of the same module.
    case third = 3

    /// The version for new projects.
    public static let current = GroupingVersion.third
}
