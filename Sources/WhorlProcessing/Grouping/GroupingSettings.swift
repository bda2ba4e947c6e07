/// How the events of a project are grouped.
public struct GroupingSettings: Sendable, Equatable {
    /// The algorithm.
    public var version = GroupingVersion.current
    /// The algorithm that leads meanwhile; nil when no transition is under way.
    public var previous: GroupingVersion?
    /// Rules of the project and of the installation.
    public var rules = GroupingRules.none

    /// The usual: the newest algorithm and no rules.
    public init() {}
}
