/// The algorithms there have been.
///
/// A hash never changes its meaning: a better algorithm gets another number, and a project moves to it by a transition, in
/// which both are computed and the older one leads.
public enum GroupingVersion: Int, Sendable, Codable, CaseIterable {
    /// Names as they are sent, in-app as the SDK says.
    case first = 1
    /// Names cleaned by what compilers and runtimes do to them, in-app corrected, noise and recursion left out.
    case second = 2

    /// What new projects get.
    public static let current = GroupingVersion.second
}
