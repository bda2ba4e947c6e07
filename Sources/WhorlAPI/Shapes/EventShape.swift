import Foundation
import WhorlProcessing
import WhorlProtocol
import WhorlStore

/// An event in the format of Sentry: the stored bytes, parsed and split into entries (protocol facts, section 7.4).
struct EventShape {
    private let stored: StoredEvent
    private let normalised: NormalisedEvent
    private var event: Event { normalised.event }

    init(_ stored: StoredEvent, _ event: Event) {
        self.stored = stored
        normalised = stored.normalised(event)
    }

    /// Notes about data that was changed or left out, before the event was stored and while it is read.
    private var notes: [EventNote] { stored.notes + normalised.event.notes }

    /// The form in lists, without entries.
    var summary: JSON { .object(common) }

    func detail(previous: EventID?, next: EventID?) -> JSON {
        let parts = EventEntries(event)
        return .object(
            common + [
                ("entries", .array(parts.all)), ("contexts", event.contexts.map(JSON.init) ?? [:]),
                ("context", member("extra")), ("packages", member("modules")), ("sdk", sdk),
                ("errors", .array(notes.map(note))), ("_meta", meta),
                ("fingerprint", event.fingerprint.map { .array($0.map(JSON.string)) } ?? nil),
                ("fingerprints", [.string(hexString(stored.hash))]),
                ("groupingConfig", ["id": .string("whorl:\(GroupingVersion.current.rawValue)")]),
                ("release", stored.release.map { ["version": .string($0)] } ?? nil),
                ("userReport", nil), ("previousEventID", .optional(previous?.hex)),
                ("nextEventID", .optional(next?.hex)),
                ("crashFile", nil),
            ]
        )
    }

    private var common: [(key: String, value: JSON)] {
        [
            ("id", .string(stored.eventID.hex)), ("eventID", .string(stored.eventID.hex)),
            ("groupID", .string(String(stored.issueID))), ("projectID", .string(String(stored.projectID))),
            ("title", .string(stored.title)), ("message", .string(event.message?.shown ?? "")),
            ("location", .optional(EventPipeline.location(of: event))),
            ("culprit", .string(EventPipeline.culprit(of: event))), ("user", user),
            (
                "tags",
                .array(stored.tags.map { ["key": .string($0.key), "value": .string($0.value)] })
            ),
            ("platform", .string(event.platform)), ("type", .string(normalised.type)),
            ("metadata", EventPipeline.metadata(of: event)), ("level", .string(stored.level.rawValue)),
            ("dateCreated", .string(Timestamp.format(stored.occurredAt))),
            ("dateReceived", .string(Timestamp.format(stored.receivedAt))),
            ("size", .int(stored.hasNoPayload ? 0 : event.node.document.bytes.count)),
            ("hasNoPayload", .bool(stored.hasNoPayload)),
            ("dist", .optional(normalised.dist)), ("environment", .string(stored.environment)),
        ]
    }

    private func member(_ key: StaticString) -> JSON {
        event.node.member(key).flatMap { $0.isObject ? JSON($0) : nil } ?? [:]
    }

    private var sdk: JSON {
        guard let sdk = event.node.member("sdk"), sdk.isObject else { return nil }
        return ["name": .optional(sdk.member("name")?.string), "version": .optional(sdk.member("version")?.string)]
    }

    private var user: JSON {
        guard let user = event.user else {
            return normalised.userAddress.map { ["ip_address": .string($0)] } ?? nil
        }
        let known: Set<String> = ["id", "email", "username", "ip_address", "name", "geo", "data"]
        var data = user.node.member("data").map(JSON.init)?.object ?? []
        for (key, value) in user.node.members where !known.contains(key.string ?? "") {
            data.append((key.string ?? "", JSON(value)))
        }
        return [
            "id": .optional(user.id), "email": .optional(user.email), "username": .optional(user.username),
            "ip_address": .optional(normalised.userAddress), "name": .optional(user.name), "data": .object(data),
            "geo": user.node.member("geo").map(JSON.init) ?? nil,
        ]
    }

    private func note(_ note: EventNote) -> JSON {
        ["type": .string(note.reason), "message": .string(note.reason), "data": ["name": .string(note.path)]]
    }

    /// The sender's own `_meta`, with our notes added for paths that it does not contain.
    private var meta: JSON {
        var members = event.node.member("_meta").map(JSON.init)?.object ?? []
        for note in notes where !members.contains(where: { $0.key == note.path }) {
            members.append((note.path, ["": ["err": [.string(note.reason)]]]))
        }
        return .object(members)
    }
}
