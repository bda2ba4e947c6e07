import Foundation
import Synchronization
import Testing
import WhorlProtocol

@testable import WhorlClient

/// A transport that records its requests and answers with a configured status.
final class RecordingTransport: Transport {
    private let state: Mutex<(requests: [TransportRequest], answer: TransportAnswer?)>

    init(status: Int? = 200, headers: [String: String] = [:]) {
        state = Mutex(([], status.map { TransportAnswer(status: $0, headers: headers) }))
    }

    func send(_ request: TransportRequest) async throws -> TransportAnswer {
        let answer = state.withLock { state in
            state.requests.append(request)
            return state.answer
        }
        guard let answer else { throw URLError(.cannotConnectToHost) }
        return answer
    }

    func answer(_ status: Int) { state.withLock { $0.answer = TransportAnswer(status: status, headers: [:]) } }

    var envelopes: [Envelope] {
        state.withLock { $0.requests }.compactMap { try? Envelope($0.body[...]) }
    }

    /// The payloads of one type of item, as JSON.
    func payloads(_ type: String) -> [JSON] {
        envelopes.flatMap(\.items).filter { $0.type == type }
            .compactMap { try? JSON(JSONDocument(Array($0.payload)).root) }
    }
}

@Suite("Client")
struct ClientTests {
    private struct Refusal: LocalizedError {
        var errorDescription: String? { "not today" }
    }

    private enum Failure: Error { case code(Int) }

    private func client(_ transport: RecordingTransport, _ change: (inout Options) -> Void = { _ in }) throws -> Client
    {
        var options = Options()
        options.transport = transport
        change(&options)
        let dsn = try #require(DSN("http://abc@127.0.0.1:1/1"))
        return Client(dsn: dsn, release: "app@1", environment: "test", options: options)
    }

    private let caught = Mechanism(type: "generic", isHandled: true)

    @Test("A captured error becomes an event with type, module, value and stack trace, including file and line")
    func capture() async throws {
        let transport = RecordingTransport()
        let client = try client(transport)
        let id = client.capture(Refusal(), mechanism: caught, fileID: #fileID, line: #line)
        client.capture(Failure.code(7), mechanism: caught, fileID: #fileID, line: #line)
        #expect(await client.flush(timeout: .seconds(30)))
        let events = transport.payloads("event")
        #expect(events.count == 2)
        #expect(events.first?["event_id"]?.string == id?.hex)
        #expect(transport.envelopes.first?.eventID == id)
        let exceptions = events.compactMap { $0["exception"]?["values"]?.array?.last }
        #expect(exceptions.map { $0["value"] } == ["not today", "code(7)"])
        #expect(exceptions.first?["module"] == "WhorlClientTests")
        #expect(exceptions.first?["type"]?.string?.hasSuffix("Refusal") == true)
        let frames = exceptions.first?["stacktrace"]?["frames"]?.array ?? []
        #expect(frames.contains { $0["filename"] == "ClientTests.swift" && ($0["lineno"]?.int ?? 0) > 0 })
        #expect(events.first?["release"] == "app@1")
        #expect(events.first?["environment"] == "test")
    }

    @Test("Child tasks inherit scopes, and changes to a scope end with it")
    func scopes() async throws {
        let transport = RecordingTransport()
        let client = try client(transport) { $0.attachesBacktrace = false }
        func report(_ text: String) { client.capture(message: text, level: .info, fileID: #fileID, line: #line) }
        await Whorl.withScope {
            $0.tags["outer"] = "1"
        } operation: {
            await Whorl.withScope {
                $0.tags["inner"] = "1"
                $0.user = User(id: "7")
            } operation: {
                Whorl.addBreadcrumb("before")
                await withTaskGroup(of: Void.self) { group in
                    group.addTask { report("child") }
                    await group.waitForAll()
                }
            }
            report("outside")
        }
        report("none")
        #expect(await client.flush(timeout: .seconds(30)))
        let events = Dictionary(
            uniqueKeysWithValues: transport.payloads("event").map { ($0["logentry"]?["formatted"]?.string ?? "", $0) }
        )
        #expect(events["child"]?["tags"] == ["inner": "1", "outer": "1"])
        #expect(events["child"]?["user"] == ["id": "7"])
        #expect(events["child"]?["breadcrumbs"]?["values"]?.array?.first?["message"] == "before")
        #expect(events["outside"]?["tags"] == ["outer": "1"])
        #expect(events["outside"]?["breadcrumbs"] == nil)
        #expect(events["none"]?["tags"] == nil)
    }

    @Test("The client obeys a rate limit of the server")
    func rateLimits() async throws {
        let transport = RecordingTransport(status: 200, headers: ["X-Sentry-Rate-Limits": "3600:error:key"])
        let client = try client(transport) { $0.attachesBacktrace = false }
        func report() -> EventID? { client.capture(message: "m", level: .error, fileID: #fileID, line: #line) }
        #expect(report() != nil)
        #expect(await client.flush(timeout: .seconds(30)))
        #expect(report() == nil)
        #expect(report() == nil)
        #expect(await client.flush(timeout: .seconds(30)))
        #expect(transport.payloads("event").count == 1)
    }

    @Test("Limits are read from both headers, the longest one applies, and they expire")
    func activeLimits() {
        let now = ContinuousClock.now
        var limits = ActiveLimits()
        limits.note(
            .init(status: 200, headers: ["x-sentry-rate-limits": "10:transaction:key, 5:error;default:project"]),
            at: now
        )
        #expect(limits.forbids("error", at: now + .seconds(4)))
        #expect(!limits.forbids("error", at: now + .seconds(6)))
        limits.note(.init(status: 429, headers: ["Retry-After": "30"]), at: now)
        #expect(limits.forbids("error", at: now + .seconds(29)))
        #expect(!limits.forbids("error", at: now + .seconds(31)))
        limits.note(.init(status: 429, headers: [:]), at: now)
        #expect(limits.forbids("error", at: now + .seconds(59)))
        #expect(!limits.forbids("error", at: now + .seconds(61)))
    }

    @Test("If the server is unreachable, events are dropped and the loss is reported with the next event")
    func networkErrors() async throws {
        let transport = RecordingTransport(status: nil)
        let client = try client(transport) { $0.attachesBacktrace = false }
        client.capture(message: "lost", level: .error, fileID: #fileID, line: #line)
        #expect(await client.flush(timeout: .seconds(30)))
        transport.answer(200)
        client.capture(message: "kept", level: .error, fileID: #fileID, line: #line)
        #expect(await client.flush(timeout: .seconds(30)))
        let report = transport.payloads("client_report").last
        #expect(report?["discarded_events"] == [["reason": "network_error", "category": "error", "quantity": 1]])
    }

    @Test("The queue is bounded")
    func bounded() async throws {
        let transport = RecordingTransport()
        let client = try client(transport) {
            $0.attachesBacktrace = false
            $0.queueEvents = 5
        }
        let accepted = (0..<1_000)
            .filter { _ in
                client.capture(message: "m", level: .error, fileID: #fileID, line: #line) != nil
            }
        #expect(accepted.count < 1_000)
        #expect(await client.flush(timeout: .seconds(30)))
        #expect(transport.payloads("event").count == accepted.count)
    }

    @Test("beforeSend can change or drop an event")
    func beforeSend() async throws {
        let transport = RecordingTransport()
        let client = try client(transport) {
            $0.attachesBacktrace = false
            $0.beforeSend = { $0["level"] == "debug" ? nil : ["replaced": true] }
        }
        client.capture(message: "m", level: .debug, fileID: #fileID, line: #line)
        client.capture(message: "m", level: .error, fileID: #fileID, line: #line)
        #expect(await client.flush(timeout: .seconds(30)))
        #expect(transport.payloads("event") == [["replaced": true]])
    }

    @Test("Without a valid DSN the client does not start and captures nothing")
    func noDSN() {
        #expect(!Whorl.start(dsn: "nonsense"))
        #expect(Whorl.capture(message: "m") == nil)
    }
}
