import Foundation
import WhorlProtocol

/// The result of processing an event.
public enum ProcessingResult: Sendable {
    /// The event is ready to be stored.
    case processed(ProcessedEvent)
    /// A filter of the project rejects the event.
    case filtered(FilterReason, EventID)
}

/// The pure function from the bytes of an event to a ``ProcessedEvent``: the same input gives the same result.
public enum EventPipeline {
    /// The reason why bytes are not an event.
    public enum Failure: Error, Sendable, Equatable {
        /// The bytes are not valid JSON; the associated value contains the position of the error.
        case syntax(JSONDocument.SyntaxError)
        /// The JSON is not an object.
        case notAnObject
    }

    /// Processes an event that has arrived: parse → normalise → filter → trim and scrub → fingerprint → title.
    ///
    /// When the payload is trimmed or scrubbed, all later steps use only the changed bytes.
    public static func process(
        _ payload: ArraySlice<UInt8>,
        _ context: EventContext,
        _ rules: ProcessingRules
    ) throws(Failure) -> ProcessingResult {
        try process(try parse(payload), payload, context, rules)
    }

    /// Processes an event that is already parsed; its demangled names also apply to the changed bytes.
    public static func process(
        _ event: Event,
        _ payload: ArraySlice<UInt8>,
        _ context: EventContext,
        _ rules: ProcessingRules
    ) throws(Failure) -> ProcessingResult {
        let normalised = NormalisedEvent(event, context)
        if let reason = rules.filter.reason(against: normalised, client: context.clientAddress) {
            return .filtered(reason, normalised.eventID)
        }
        // Trimming comes before scrubbing, so that the remainder of a trimmed value is scrubbed too.
        var cuts = PayloadEdits()
        var trimmer = Trimmer(event.node.document, rules.limits)
        trimmer.add(to: &cuts)
        var notes = trimmer.notes
        var document = event.node.document
        if !cuts.isEmpty { document = try self.document(cuts.applied(to: document.bytes)[...]) }
        var edits = PayloadEdits()
        Scrubber(rules.scrubbing).add(to: &edits, &notes, in: document, wasTrimmed: !cuts.isEmpty)
        var context = context
        let losesAddress = rules.scrubbing.isOn && rules.scrubbing.removesAddresses && context.clientAddress != nil
        if losesAddress { context.clientAddress = nil }
        // The event id must stay the same when the bytes change.
        context.eventID = normalised.eventID
        guard !edits.isEmpty || !cuts.isEmpty else {
            let normalised = losesAddress ? NormalisedEvent(event, context) : normalised
            return .processed(processed(normalised, context, payload, notes.notes, rules.grouping))
        }
        let changed = edits.applied(to: document.bytes)
        return .processed(
            try reprocess(changed[...], context, rules.grouping, storedNotes: notes.notes, names: event.names)
        )
    }

    /// Processes the stored bytes of an event again: parse → normalise → fingerprint → title.
    ///
    /// `storedNotes` are the notes about changes of the payload before it was stored.
    public static func reprocess(
        _ payload: ArraySlice<UInt8>,
        _ context: EventContext,
        _ grouping: GroupingSettings = .init(),
        storedNotes: [EventNote] = [],
        names: DemangledNames = .none
    ) throws(Failure) -> ProcessedEvent {
        reprocess(try parse(payload), context, grouping, payload: payload, storedNotes: storedNotes, names: names)
    }

    /// Processes a stored event that is already parsed.
    public static func reprocess(
        _ event: Event,
        _ context: EventContext,
        _ grouping: GroupingSettings,
        payload: ArraySlice<UInt8>,
        storedNotes: [EventNote],
        names: DemangledNames
    ) -> ProcessedEvent {
        var event = event
        event.names = names
        return processed(NormalisedEvent(event, context), context, payload, storedNotes, grouping)
    }

    static func processed(
        _ normalised: NormalisedEvent,
        _ context: EventContext,
        _ payload: ArraySlice<UInt8>,
        _ storedNotes: [EventNote],
        _ settings: GroupingSettings
    ) -> ProcessedEvent {
        let event = normalised.event
        let title = EventTitle(event)
        let grouping = Grouping(event, settings)
        var stored = storedNotes
        let costly = EventNote("", "grouping_rules_too_costly")
        if grouping.costlyRule != nil, !stored.contains(costly) { stored.append(costly) }
        return ProcessedEvent(
            projectID: context.projectID,
            eventID: normalised.eventID,
            receivedAt: context.receivedAt,
            occurredAt: normalised.occurredAt,
            sentAt: context.sentAt,
            level: normalised.level,
            type: normalised.type,
            declaredType: event.type,
            platform: event.platform.prefix(bytes: 64),
            logger: event.logger?.prefix(bytes: 64),
            title: grouping.title ?? title.title,
            culprit: Culprit.text(of: event),
            location: title.location,
            metadata: title.metadata,
            environment: normalised.environment ?? "",
            release: normalised.release,
            dist: normalised.dist,
            tags: normalised.tags,
            userHash: normalised.userIdentity.map { Digest.md5($0) },
            hashes: grouping.hashes,
            isUnhandled: event.isUnhandled,
            clientAddress: normalised.filledAddress,
            sdk: sdk(of: event),
            payload: payload,
            notes: stored + event.notes,
            storedNotes: stored
        )
    }

    private static func sdk(of event: Event) -> String? {
        guard let name = event.sdkName else { return nil }
        let version = event.node.member("sdk")?.member("version")?.string
        return [name, version].compactMap(\.self).joined(separator: "/").prefix(bytes: 128)
    }

    /// Parses the bytes of an event item.
    public static func parse(_ payload: ArraySlice<UInt8>) throws(Failure) -> Event {
        Event(try document(payload).root)
    }

    /// Parses the bytes of an event, which must be a JSON object.
    static func document(_ payload: ArraySlice<UInt8>) throws(Failure) -> JSONDocument {
        let document: JSONDocument
        do {
            document = try JSONDocument(Array(payload))
        } catch {
            throw .syntax(error)
        }
        guard document.root.isObject else { throw .notAnObject }
        return document
    }

    /// The culprit: a readable description of where the event happened.
    public static func culprit(of event: Event) -> String { Culprit.text(of: event) }

    /// The file name of the crash frame.
    public static func location(of event: Event) -> String? { EventTitle(event).location }

    /// The parts of the title.
    public static func metadata(of event: Event) -> JSON { EventTitle(event).metadata }
}
