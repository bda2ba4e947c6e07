import Foundation
import Testing
import WhorlProcessing
import WhorlProtocol
import WhorlTestSupport

@Suite("Event pipeline")
struct PipelineTests {
    private let received = Date(timeIntervalSince1970: 1_795_168_800)

    private func process(_ event: JSON, sentAt: Date? = nil, id: EventID? = nil) throws -> ProcessedEvent {
        let context = EventContext(
            projectID: 1,
            eventID: id,
            receivedAt: received,
            sentAt: sentAt,
            clientAddress: "203.0.113.9"
        )
        return try EventPipeline.reprocess(event.encoded()[...], context)
    }

    @Test("Title, culprit and location come from the exception or the message")
    func titles() throws {
        let frames: JSON = [
            ["function": "main", "module": "app", "filename": "app.py", "in_app": true],
            ["function": "query", "module": "driver", "filename": "driver.py", "in_app": false],
        ]
        let fault = try process([
            "platform": "python",
            "exception": [["type": "E", "value": "first\nsecond", "stacktrace": ["frames": frames]]],
        ])
        #expect(fault.title == "E: first")
        #expect(fault.culprit == "app in main")
        #expect(fault.location == "app.py")
        #expect(fault.metadata["function"] == "main")
        #expect(fault.type == "error" && fault.level == .error)
        #expect(try process(["message": "hello", "level": "info"]).title == "hello")
        #expect(try process(["logentry": ["message": "a %s %d", "params": ["b", 3]]]).title == "a b 3")
        #expect(try process(["message": ["formatted": "native"]]).title == "native")
        #expect(try process(["message": false]).title == "<unlabeled event>")
        #expect(try process(["exception": ["values": [["type": "E", "value": ""]]]]).title == "E")
        #expect(try process(["exception": ["values": [["value": "only"]]]]).title == "only")
        #expect(try process(["transaction": "/pay", "message": "m"]).culprit == "/pay")
        #expect(try process(["message": .string(String(repeating: "x", count: 1_000))]).title.count == 256)
    }

    @Test("Wrong client clocks are corrected, and implausible dates are replaced")
    func time() throws {
        func occurred(_ text: String, sentAt: Date? = nil) throws -> TimeInterval {
            try process(["timestamp": .string(text)], sentAt: sentAt).occurredAt.timeIntervalSince(received)
        }
        #expect(try occurred("2026-11-20T09:59:50Z") == -10)
        #expect(try occurred("2026-11-20T10:00:59Z") == 59)
        #expect(try occurred("2026-11-20T10:02:00Z") == 0)
        #expect(try occurred("2026-10-01T00:00:00Z") == 0)
        #expect(try occurred("0001-01-01T00:00:00Z") == 0)
        // The sender's clock is two hours behind.
        #expect(try occurred("2026-11-20T07:59:50Z", sentAt: received.addingTimeInterval(-7_200)) == -10)
        let broken = try process(["timestamp": "soon"])
        #expect(broken.occurredAt == received)
        #expect(broken.notes.contains(EventNote("timestamp", "invalid_data")))
    }

    @Test("Tags of every shape are normalized and merged with the tags of other members")
    func tags() throws {
        func tags(_ value: JSON) throws -> [String: String] {
            let event = try process(["tags": value, "release": "shop@1", "level": "fatal", "environment": "production"])
            return Dictionary(uniqueKeysWithValues: event.tags.map { ($0.key, $0.value) })
        }
        #expect(try tags(["a": "b", "n": 1, "t": true, "nil": nil, "two words": "x"])["n"] == "1")
        #expect(try tags(["t": true])["t"] == "True")
        #expect(try tags(["two words": "x"])["two-words"] == "x")
        #expect(try tags([["a", "b"], ["a", "c"], ["x"], ["1", "2", "3"]])["a"] == "b")
        #expect(try tags([["key": "k", "value": "v"]])["k"] == "v")
        #expect(try tags(["release": "forged"])["release"] == "shop@1")
        #expect(try tags([:])["level"] == "fatal")
        #expect(try tags(["long": .string(String(repeating: "x", count: 201))])["long"] == nil)
        let many = JSON.object((0..<500).map { ("k\($0)", "v") })
        #expect(try tags(many).keys.filter { $0.hasPrefix("k") }.count == 100)
        #expect(try process(["tags": ["environment": "staging"]]).environment == "staging")
    }

    @Test("Members of the wrong type are removed with a note, and the event is kept")
    func wrongTypes() throws {
        let event = try process([
            "level": 7, "release": ["x"], "tags": "x", "user": 3, "exception": 5, "breadcrumbs": "x", "request": [],
            "fingerprint": ["a": 1], "threads": true, "contexts": [1], "timestamp": [:], "environment": ["a"],
        ])
        #expect(event.level == .error)
        let noted = Set(event.notes.map(\.path))
        #expect(
            noted.isSuperset(of: [
                "level", "release", "tags", "user", "exception", "fingerprint", "timestamp", "environment",
            ])
        )
    }

    @Test("The request's event id overrides the payload's, and an invalid one is replaced")
    func identity() throws {
        let id = EventID.random()
        #expect(try process(["event_id": .string(EventID.random().hex)], id: id).eventID == id)
        #expect(try process(["event_id": .string(id.hex.uppercased())]).eventID == id)
        let replaced = try process(["event_id": "../../etc/passwd"]).eventID
        #expect(replaced.hex.utf8.count == 32)
    }

    @Test("Users are identified by id, else by name, mail or IP address")
    func users() throws {
        let byID = try process(["user": ["id": 7, "email": "a@example.com"]])
        #expect(byID.userHash == (try process(["user": ["id": "7"]]).userHash))
        #expect(byID.userHash != (try process(["user": ["email": "a@example.com"]]).userHash))
        #expect(try process(["user": [:]]).userHash == nil)
        #expect(try process(["user": ["ip_address": "{{auto}}"]]).clientAddress == "203.0.113.9")
        #expect(try process(["user": ["ip_address": "999.1.1.1"]]).clientAddress == nil)
    }

    @Test("Ten thousand frames and five hundred exceptions are cut to the limits")
    func hugeEvents() throws {
        let frames = JSON.array((0..<10_000).map { ["function": .string("f\($0)"), "lineno": .int($0)] })
        let event = try EventPipeline.parse(
            (["exception": ["values": [["type": "E", "stacktrace": ["frames": frames]]]]] as JSON).encoded()[...]
        )
        #expect(event.exceptions.first?.stacktrace?.frames.count == 250)
        #expect(event.exceptions.first?.stacktrace?.frames.last?.function == "f9999")
        let chain = JSON.array((0..<500).map { ["type": .string("E\($0)")] })
        #expect(try EventPipeline.parse((["exception": chain] as JSON).encoded()[...]).exceptions.count == 50)
    }

    @Test("Substitution in a template of braces takes time linear in its length")
    func linearSubstitution() throws {
        let template = String(repeating: "{", count: 500_000) + String(repeating: "%(", count: 200_000)
        let start = ContinuousClock.now
        _ = try process(["logentry": ["message": .string(template), "params": ["x"]]])
        #expect(start.duration(to: .now) < scaledBound(.seconds(3)))
    }

    @Test("Overlong types, loggers and locations are truncated in the stored columns")
    func longMembers() throws {
        let long = JSON.string(String(repeating: "x", count: 300_000))
        let event = try process([
            "logger": long, "platform": long,
            "exception": [
                ["type": long, "value": long, "stacktrace": ["frames": [["function": long, "filename": long]]]]
            ],
        ])
        #expect(event.title.utf8.count < 1_000 && event.metadata.text.utf8.count < 3_000)
        #expect(event.logger?.utf8.count == 64 && event.platform.utf8.count == 64)
        #expect(event.notes.contains(EventNote("logger", "value_too_long")))
        #expect(event.location?.utf8.count == 256 && event.culprit.utf8.count <= 200)
    }

    @Test("Payloads that are not events are refused")
    func refused() {
        for text in ["", "[]", "1", "null", "\"x\"", "{", "{} {}"] {
            #expect(throws: EventPipeline.Failure.self) { try EventPipeline.parse(Array(text.utf8)[...]) }
        }
    }
}
