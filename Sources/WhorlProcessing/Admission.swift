import WhorlProtocol

/// What a project asks to be done with its events before they are kept.
public struct AdmissionRules: Sendable, Equatable {
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

/// What became of an event on its way in.
public enum Admission: Sendable {
    /// It is wanted, and ready to be stored.
    case admitted(ProcessedEvent)
    /// The project does not want it.
    case filtered(FilterReason, EventID)
}

extension EventPipeline {
    /// The whole way of an event that just arrived: parse → normalise → filter → trim and scrub → fingerprint → title.
    ///
    /// Where something is cut or scrubbed, everything after works on the changed bytes only.
    public static func admit(
        _ payload: ArraySlice<UInt8>,
        _ context: EventContext,
        _ rules: AdmissionRules
    ) throws(Failure) -> Admission {
        try admit(try parse(payload), payload, context, rules)
    }

    /// The same for an event that was parsed already; its names are used for the changed bytes, too.
    public static func admit(
        _ event: Event,
        _ payload: ArraySlice<UInt8>,
        _ context: EventContext,
        _ rules: AdmissionRules
    ) throws(Failure) -> Admission {
        let normalised = NormalisedEvent(event, context)
        if let reason = rules.filter.reason(against: normalised, client: context.clientAddress) {
            return .filtered(reason, normalised.eventID)
        }
        // First cut, then scrubbed: what is cut may hold secrets, and what is left of it must not.
        var cuts = PayloadEdits()
        var trimmer = Trimmer(event.node.document, rules.limits)
        trimmer.add(to: &cuts)
        var notes = trimmer.notes
        var document = event.node.document
        if !cuts.isEmpty { document = try self.document(cuts.applied(to: document.bytes)[...]) }
        var edits = PayloadEdits()
        Scrubber(rules.scrubbing).add(to: &edits, &notes, in: document, wasCut: !cuts.isEmpty)
        var context = context
        let losesAddress = rules.scrubbing.isOn && rules.scrubbing.removesAddresses && context.clientAddress != nil
        if losesAddress { context.clientAddress = nil }
        // The identity must not change with the bytes.
        context.eventID = normalised.eventID
        guard !edits.isEmpty || !cuts.isEmpty else {
            let normalised = losesAddress ? NormalisedEvent(event, context) : normalised
            return .admitted(processed(normalised, context, payload, notes.notes, rules.grouping))
        }
        let changed = edits.applied(to: document.bytes)
        return .admitted(
            try process(changed[...], context, rules.grouping, storedNotes: notes.notes, names: event.names)
        )
    }
}
