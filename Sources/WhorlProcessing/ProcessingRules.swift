/// The rules by which the events of a project are filtered, redacted and grouped.
public struct ProcessingRules: Sendable, Equatable {
    /// What is not wanted.
    public let filter: InboundFilter
    /// What is taken out.
    public let scrubbing: ScrubSettings
    /// What is cut.
    public let limits: FieldLimits
    /// How events are grouped.
    public let grouping: GroupingSettings

    /// The rules of a project, within the limits of the installation.
    public init(
        filter: FilterSettings = .init(),
        scrubbing: ScrubSettings = .init(),
        limits: FieldLimits = .init(),
        grouping: GroupingSettings = .init()
    ) {
        self.filter = InboundFilter(filter)
        self.scrubbing = scrubbing
        self.limits = limits
        self.grouping = grouping
    }
}
