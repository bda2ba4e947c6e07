/// The grouping settings of a project.
public struct GroupingSettings: Sendable, Equatable {
    /// The version of the algorithm.
    public var version = GroupingVersion.current
    /// The version whose hashes lead during a transition; nil when there is no transition.
    public var previous: GroupingVersion?
    /// The rules of the project and of the installation.
    public var rules = GroupingRules.none

    /// Creates the default settings: the newest version and no rules.
    public init() {}
}
