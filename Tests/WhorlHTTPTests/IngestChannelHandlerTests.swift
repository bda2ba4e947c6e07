import Foundation
import HTTPTypes
import Logging
import NIOCore
import NIOEmbedded
import NIOHTTPTypes
import Testing
import WhorlSpool
import WhorlTelemetry
import WhorlTestSupport

@testable import WhorlHTTP
@testable import WhorlIngest
@testable import WhorlPostgres
@testable import WhorlStore

/// The handler in a channel without a socket, with the real ingest pipeline.
///
/// Keys come from the copy in the data directory. Events go to the spool, because there is no database.
@Suite struct IngestChannelHandlerTests {
    private static let key = String(repeating: "a", count: 32)

    private static func pipeline(_ registry: MetricsRegistry = MetricsRegistry()) throws -> IngestPipeline {
        let directory = try temporaryDirectory("ingest-channel")
        let copy = KeyCopy(directory: directory)
        try copy.save([
            key: KeyInfo(
                keyID: 1,
                projectID: 1,
                project: "web",
                organization: "acme",
                isActive: true,
                limit: nil,
                settings: ProjectSettings()
            )
        ])
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        let pool = PostgresPool(
            url: "postgresql://127.0.0.1:1/none",
            logger: logger,
            metrics: PostgresMetrics(registry: registry)
        )
        let keys = KeyDirectory(pool: pool, copy: copy, logger: logger)
        let writer = EventWriter(pool: pool, logger: logger, registry: registry)
        let spool = try Spool(directory: directory + "/spool", logger: logger, registry: registry)
        let sink = EventSink(writer: writer, spool: spool, codec: try PayloadCodec(pool: pool), keys: keys)
        var limits = IngestLimits()
        limits.bodyBytes = 2_000
        let limiter = RateLimiter(pool: pool, farFactor: 10, logger: logger)
        let credentialFailures = CredentialFailureLimiter(failuresPerMinute: 100)
        return IngestPipeline(
            authorizer: IngestAuthorizer(
                keys: keys,
                limiter: limiter,
                limits: limits,
                credentialFailures: credentialFailures,
                metrics: EventMetrics(registry: registry)
            ),
            sink: sink,
            limiter: limiter,
            limits: limits,
            accounting: IngestAccounting(
                metrics: IngestMetrics(registry: registry),
                outcomes: OutcomeRecorder(pool: pool, logger: logger, registry: registry),
                credentialFailures: credentialFailures,
                logger: logger
            ),
            registry: registry
        )
    }

    private func channel() async throws -> NIOAsyncTestingChannel {
        let pipeline = try Self.pipeline()
        let proxies = try #require(TrustedProxies(""))
        let channel = NIOAsyncTestingChannel()
        let registry = MetricsRegistry()
        try await channel.testingEventLoop.executeInContext {
            try channel.pipeline.syncOperations.addHandler(
                IngestChannelHandler(
                    pipeline: pipeline,
                    proxies: proxies,
                    pace: AddressRequestLimiter(registry: registry),
                    recorder: IngestRecorder(RequestRecorder(registry: registry, logger: Logger(label: "test")))
                )
            )
        }
        try await channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 80)).get()
        return channel
    }

    private func head(
        _ method: HTTPRequest.Method,
        _ path: String,
        _ fields: HTTPFields = [:]
    ) -> HTTPRequestPart {
        .head(HTTPRequest(method: method, scheme: "http", authority: "a", path: path, headerFields: fields))
    }

    private var store: String { "/api/1/store/?sentry_key=" + Self.key }

    /// Reads one response: its status, its header fields and its body.
    private func response(_ channel: NIOAsyncTestingChannel) async throws -> (Int, HTTPFields, String) {
        var status = 0
        var fields: HTTPFields = [:]
        var body = ""
        while true {
            switch try await channel.waitForOutboundWrite(as: HTTPResponsePart.self) {
            case .head(let head): (status, fields) = (head.status.code, head.headerFields)
            case .body(let bytes): body += String(buffer: bytes)
            case .end: return (status, fields, body)
            }
        }
    }

    @Test("An event that arrives in several parts is stored and answered with its id")
    func event() async throws {
        let channel = try await channel()
        let id = String(repeating: "1", count: 32)
        try await channel.writeInbound(head(.post, store))
        try await channel.writeInbound(HTTPRequestPart.body(ByteBuffer(string: #"{"event_id":""#)))
        try await channel.writeInbound(HTTPRequestPart.body(ByteBuffer(string: id + #"","message":"x"}"#)))
        try await channel.writeInbound(HTTPRequestPart.end(nil))
        let (status, fields, body) = try await response(channel)
        #expect(status == 200)
        #expect(body == #"{"id":"\#(id)"}"#)
        #expect(fields[.connection] == nil)
        #expect(channel.isActive)
    }

    @Test("Other requests pass to the server, but only after the response to the previous request")
    func order() async throws {
        let channel = try await channel()
        try await channel.writeInbound(head(.post, store))
        try await channel.writeInbound(HTTPRequestPart.body(ByteBuffer(string: #"{"message":"x"}"#)))
        try await channel.writeInbound(HTTPRequestPart.end(nil))
        try await channel.writeInbound(head(.get, "/health"))
        try await channel.writeInbound(HTTPRequestPart.end(nil))
        #expect(try await response(channel).0 == 200)
        guard case .head(let head) = try await channel.waitForInboundWrite(as: HTTPRequestPart.self) else {
            Issue.record("the server got no head")
            return
        }
        #expect(head.path == "/health")
        guard case .end = try await channel.waitForInboundWrite(as: HTTPRequestPart.self) else {
            Issue.record("the server got no end")
            return
        }
        // The next event waits for the server's response.
        try await channel.writeInbound(self.head(.post, store))
        try await channel.writeInbound(HTTPRequestPart.body(ByteBuffer(string: #"{"message":"y"}"#)))
        try await channel.writeInbound(HTTPRequestPart.end(nil))
        #expect(try await channel.readOutbound(as: HTTPResponsePart.self) == nil)
        try await channel.writeOutbound(HTTPResponsePart.head(HTTPResponse(status: .noContent)))
        try await channel.writeOutbound(HTTPResponsePart.end(nil))
        #expect(try await response(channel).0 == 204)
        #expect(try await response(channel).0 == 200)
    }

    @Test(
        "Unacceptable requests are refused at their head, and the connection closes",
        arguments: [
            (HTTPRequest.Method.put, "0", 405), (.post, "2001", 413), (.post, "99999999999999999999", 413),
        ]
    )
    func refusedHeads(_ method: HTTPRequest.Method, _ length: String, _ expected: Int) async throws {
        let channel = try await channel()
        try await channel.writeInbound(head(method, store, [.contentLength: length]))
        let (status, answer, _) = try await response(channel)
        #expect(status == expected)
        #expect(answer[.connection] == "close")
        // Data that arrives after the refusal is dropped.
        try await channel.writeInbound(HTTPRequestPart.body(ByteBuffer(string: "x")))
        #expect(try await channel.readInbound(as: HTTPRequestPart.self) == nil)
        await channel.testingEventLoop.advanceTime(by: .seconds(3))
        try await channel.closeFuture.get()
    }

    @Test("A body that exceeds its limit is refused while it arrives")
    func tooLarge() async throws {
        let channel = try await channel()
        try await channel.writeInbound(head(.post, store))
        try await channel.writeInbound(HTTPRequestPart.body(ByteBuffer(repeating: 0x20, count: 1_500)))
        try await channel.writeInbound(HTTPRequestPart.body(ByteBuffer(repeating: 0x20, count: 501)))
        #expect(try await response(channel).0 == 413)
    }

    @Test("A request without a key is answered with 401; 100 Continue is sent before the body")
    func continues() async throws {
        let channel = try await channel()
        try await channel.writeInbound(head(.post, "/api/1/store/", [.expect: "100-continue"]))
        guard case .head(let head) = try await channel.waitForOutboundWrite(as: HTTPResponsePart.self) else {
            Issue.record("no head")
            return
        }
        #expect(head.status == .continue)
        try await channel.writeInbound(HTTPRequestPart.body(ByteBuffer(string: "{}")))
        try await channel.writeInbound(HTTPRequestPart.end(nil))
        #expect(try await response(channel).0 == 401)
    }

    @Test("When the server stops, the response to the current request closes the connection")
    func quiesce() async throws {
        let channel = try await channel()
        try await channel.writeInbound(head(.post, store))
        channel.pipeline.fireUserInboundEventTriggered(ChannelShouldQuiesceEvent())
        try await channel.writeInbound(HTTPRequestPart.body(ByteBuffer(string: #"{"message":"x"}"#)))
        try await channel.writeInbound(HTTPRequestPart.end(nil))
        let (status, fields, _) = try await response(channel)
        #expect(status == 200)
        #expect(fields[.connection] == "close")
        try await channel.closeFuture.get()
    }

    @Test("A peer that half-closes after a request gets the response; one that half-closes within a body does not")
    func inputClosed() async throws {
        let channel = try await channel()
        try await channel.writeInbound(head(.post, store))
        try await channel.writeInbound(HTTPRequestPart.body(ByteBuffer(string: #"{"message":"x"}"#)))
        try await channel.writeInbound(HTTPRequestPart.end(nil))
        channel.pipeline.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
        #expect(try await response(channel).0 == 200)
        try await channel.closeFuture.get()

        let second = try await self.channel()
        try await second.writeInbound(head(.post, store))
        second.pipeline.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
        try await second.closeFuture.get()
        #expect(try await second.readOutbound(as: HTTPResponsePart.self) == nil)
    }

    @Test(
        "Items before a refused event keep their own outcome, and those after it share that of the refusal",
        arguments: [(true, "invalid\",reason=\"invalid_json"), (false, "filtered\",reason=\"unsupported-item")]
    )
    func itemsOfRefusedRequest(isAfterEvent: Bool, expected: String) async throws {
        let registry = MetricsRegistry()
        let pipeline = try Self.pipeline(registry)
        let event = "{\"type\":\"event\"}\n{broken\n"
        let session = "{\"type\":\"session\"}\n{}\n"
        let body = "{}\n" + (isAfterEvent ? event + session : session + event)
        let answer = await pipeline.answer(
            IngestRequest(
                route: .envelope,
                projectID: "1",
                headers: .init(),
                query: ["sentry_key": Self.key],
                body: ReceivedBody(Array(body.utf8)),
                clientAddress: nil,
                receivedAt: Date(),
                arrived: .now
            )
        )
        #expect(answer.status == 400)
        let line = "whorl_ingest_items_total{type=\"session\",outcome=\"\(expected)\"} 1"
        #expect(registry.render(.prometheusText).contains(line))
    }

    @Test("A project's last event has no time before its first event")
    func lastEvent() {
        let registry = MetricsRegistry()
        let project = EventMetrics(registry: registry).project(organization: "acme", project: "web")
        project.preload(environment: "production")
        #expect(!registry.render(.prometheusText).contains("\nwhorl_last_event_timestamp_seconds{"))
        project.acknowledged(environment: "production", level: .error, at: 42)
        #expect(registry.render(.prometheusText).contains("environment=\"production\"} 42"))
    }
}
