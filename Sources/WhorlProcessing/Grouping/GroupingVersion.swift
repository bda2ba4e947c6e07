/// The algorithms there have been.
///
/// A hash never changes its meaning: a better algorithm gets another number, and a project moves to it by a transition, in
/// which both are computed and the older one leads.
public enum GroupingVersion: Int, Sendable, Codable, CaseIterable {
    /// Names as they are sent, in-app as the SDK says.
    case first = 1
    /// Names cleaned by what compilers and runtimes do to them, in-app corrected, noise and recursion left out.
    case second = 2
    /// Like the second; but what raises an error counts as such only at the crash end of a stack: Rust wraps `main`, threads
    /// and tasks in functions of the same module.
    case third = 3

    /// What new projects get.
    public static let current = GroupingVersion.third
}
