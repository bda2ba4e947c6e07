/// The rules for filtering, scrubbing, trimming and grouping the events of a project.
public struct ProcessingRules: Sendable, Equatable {
    /// The inbound filter.
    public let filter: InboundFilter
    /// The scrubbing settings.
    public let scrubbing: ScrubSettings
    /// The limits beyond which values are trimmed.
    public let limits: FieldLimits
    /// The grouping settings.
    public let grouping: GroupingSettings

    /// Creates the rules of a project with the field limits of the installation.
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
