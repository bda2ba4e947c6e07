import NIOCore
import NIOEmbedded
import NIOHTTP1
import NIOHTTPTypes
import NIOHTTPTypesHTTP1
import Testing
import WhorlTelemetry

@testable import WhorlHTTP

/// The guard in an embedded channel behind the real HTTP codec, with a clock that the test advances.
@Suite struct ConnectionGuardTests {
    /// Answers each request with 204 when its end arrives, if `answers` is true.
    private final class Server: ChannelInboundHandler {
        typealias InboundIn = HTTPRequestPart
        typealias OutboundOut = HTTPResponsePart

        private let answers: Bool

        init(answers: Bool) { self.answers = answers }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            guard answers, case .end = unwrapInboundIn(data) else { return }
            context.write(wrapOutboundOut(.head(.init(status: .noContent))), promise: nil)
            context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
        }
    }

    private let count: ConnectionCount
    private let times = ConnectionTimes(
        head: .seconds(10),
        body: .seconds(30),
        answer: .seconds(60),
        write: .seconds(30),
        idle: .seconds(75)
    )

    init() {
        count = ConnectionCount(
            maximum: 2,
            maximumPerAddress: 1,
            isExempt: { _ in false },
            registry: MetricsRegistry()
        )
    }

    private func channel(answers: Bool = true, from address: String = "192.0.2.1") throws -> EmbeddedChannel {
        let channel = EmbeddedChannel()
        let pipeline = channel.pipeline.syncOperations
        try pipeline.configureHTTPServerPipeline(withErrorHandling: false)
        try pipeline.addHandlers([
            HTTP1ToHTTPServerCodec(secure: false), ConnectionGuard(times: times, count: count),
            Server(answers: answers),
        ])
        channel.remoteAddress = try SocketAddress(ipAddress: address, port: 40_000)
        try channel.connect(to: SocketAddress(ipAddress: address, port: 40_000)).wait()
        return channel
    }

    private func outbound(_ channel: EmbeddedChannel) throws -> String {
        var text = ""
        while let bytes = try channel.readOutbound(as: ByteBuffer.self) { text += String(buffer: bytes) }
        return text
    }

    private func send(_ text: String, to channel: EmbeddedChannel) throws {
        try channel.writeInbound(ByteBuffer(string: text))
    }

    @Test("A connection without a complete head closes after the head timeout")
    func head() throws {
        let channel = try channel()
        try send("GET / HTTP/1.1\r\nHo", to: channel)
        channel.embeddedEventLoop.advanceTime(by: .milliseconds(9_999))
        #expect(channel.isActive)
        channel.embeddedEventLoop.advanceTime(by: .milliseconds(1))
        #expect(!channel.isActive)
        #expect(count.timeouts.child("head").value == 1)
    }

    @Test("The body timeout covers the whole body; single bytes do not extend it")
    func body() throws {
        let channel = try channel()
        try send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n", to: channel)
        for _ in 0..<29 {
            channel.embeddedEventLoop.advanceTime(by: .seconds(1))
            try send("x", to: channel)
        }
        #expect(channel.isActive)
        channel.embeddedEventLoop.advanceTime(by: .seconds(1))
        #expect(!channel.isActive)
        #expect(count.timeouts.child("body").value == 1)
    }

    @Test("The idle timeout starts after a response, and a missing response has its own timeout")
    func idle() throws {
        let idle = try channel()
        try send("GET / HTTP/1.1\r\nHost: a\r\n\r\n", to: idle)
        #expect(try outbound(idle).hasPrefix("HTTP/1.1 204"))
        idle.embeddedEventLoop.advanceTime(by: .seconds(74))
        #expect(idle.isActive)
        idle.embeddedEventLoop.advanceTime(by: .seconds(1))
        #expect(!idle.isActive)

        let silent = try channel(answers: false)
        try send("GET / HTTP/1.1\r\nHost: a\r\n\r\n", to: silent)
        silent.embeddedEventLoop.advanceTime(by: .seconds(59))
        #expect(silent.isActive)
        silent.embeddedEventLoop.advanceTime(by: .seconds(1))
        #expect(!silent.isActive)
        #expect(count.timeouts.child("answer").value == 1)
    }

    @Test("Malformed bytes are answered once with 400, and the connection closes after a grace period")
    func malformed() throws {
        let channel = try channel()
        try send("GET / HTTP/1.1\r\nHost: a\r\n\r\nNOT HTTP\r\n\r\n", to: channel)
        let text = try outbound(channel)
        #expect(text.hasPrefix("HTTP/1.1 204"))
        #expect(text.contains("HTTP/1.1 400"))
        #expect(text.contains("Connection: close") || text.contains("connection: close"))
        #expect(count.malformed.value == 1)
        channel.embeddedEventLoop.advanceTime(by: .seconds(3))
        #expect(!channel.isActive)
    }

    @Test("Connections above the limit per address or the total limit are closed at once")
    func bounds() throws {
        let first = try channel()
        #expect(try !channel().isActive, "a second connection of the address")
        let other = try channel(from: "192.0.2.2")
        #expect(other.isActive)
        #expect(try !channel(from: "192.0.2.3").isActive, "a third connection in all")
        _ = try first.finish()
        #expect(try channel(from: "192.0.2.3").isActive)
    }
}
