import NIOHTTP1
import Testing

@testable import WhorlServer

@Suite("The states of a connection")
struct ConnectionStateTests {
    typealias Event = ConnectionState.Event

    @Test(
        "Each order of events ends in the deadline that fits it",
        arguments: [
            ([], .head),
            ([.receivedHead], .body),
            ([.receivedHead, .receivedEnd], .answer),
            ([.receivedHead, .receivedEnd, .wrotePart], .write),
            ([.receivedHead, .receivedEnd, .wrotePart, .wroteEnd], .write),
            ([.receivedHead, .receivedEnd, .wrotePart, .wroteEnd, .flushed], .idle),
            // An answer before the end of the body: the body's time goes on, and idle follows its end.
            ([.receivedHead, .wrotePart], .body),
            ([.receivedHead, .wrotePart, .wroteEnd, .flushed], .body),
            ([.receivedHead, .wrotePart, .wroteEnd, .flushed, .receivedEnd], .idle),
            ([.receivedHead, .wrotePart, .wroteEnd, .receivedEnd], .write),
            ([.receivedHead, .wrotePart, .wroteEnd, .receivedEnd, .flushed], .idle),
            // Pipelined requests.
            ([.receivedHead, .receivedEnd, .receivedHead], .body),
            ([.receivedHead, .receivedEnd, .receivedHead, .receivedEnd, .wroteEnd, .flushed], .answer),
            (
                [.receivedHead, .receivedEnd, .receivedHead, .receivedEnd, .wroteEnd, .flushed, .wroteEnd, .flushed],
                .idle
            ),
            // Malformed after good requests: they are answered first.
            ([.receivedHead, .receivedEnd, .malformed], .answer),
            ([.receivedHead, .receivedEnd, .malformed, .wrotePart], .write),
            ([.receivedHead, .receivedEnd, .receivedHead, .malformed], .answer),
        ] as [([Event], ConnectionState.Deadline)]
    )
    func deadlines(_ events: [Event], _ expected: ConnectionState.Deadline) {
        var state = ConnectionState()
        for event in events { _ = state.handle(event) }
        #expect(state.deadline == expected)
    }

    @Test("Malformed bytes are answered once, after the answers to the requests before them")
    func malformed() {
        var state = ConnectionState()
        #expect(state.handle(.malformed) == .refuse)
        #expect(state.handle(.malformed) == .none)
        #expect(state.handle(.receivedHead) == .none)

        state = ConnectionState()
        let order: [Event] = [.receivedHead, .receivedEnd, .receivedHead, .malformed, .wrotePart, .wroteEnd]
        for event in order { #expect(state.handle(event) != .refuse) }
        #expect(state.handle(.flushed) == .refuse)

        state = ConnectionState()
        #expect(state.handle(.receivedHead) == .start(.body))
        #expect(state.handle(.malformed) == .refuse, "a broken body has no answer of its own")
    }

    /// Every state that up to seven events lead to.
    private static let states: [ConnectionState] = {
        var seen: [ConnectionState] = [ConnectionState()]
        var last = seen
        for _ in 0..<7 {
            var next: [ConnectionState] = []
            for state in last {
                for event in Event.allCases {
                    var after = state
                    _ = after.handle(event)
                    if after.inFlight <= 2, !seen.contains(after), !next.contains(after) { next.append(after) }
                }
            }
            seen += next
            last = next
        }
        return seen
    }()

    @Test("In every state and after every event a deadline runs, and counts never go below zero")
    func everyState() {
        #expect(Self.states.count > 15)
        for state in Self.states {
            for event in Event.allCases {
                var after = state
                let action = after.handle(event)
                #expect(after.inFlight >= 0)
                // A deadline that is not started anew is the one that ran before.
                switch action {
                case .none: #expect(after.deadline == state.deadline || after.isMalformed, "\(state) \(event)")
                case .start(let deadline): #expect(after.deadline == deadline, "\(state) \(event)")
                case .refuse: #expect(after.isMalformed && after.inFlight == 0)
                }
                // The body's time is that of the whole body: no part of an answer prolongs it.
                if state.isReadingBody, after.isReadingBody, event != .receivedHead { #expect(action == .none) }
            }
        }
    }

    @Test(
        "The framing of chunks is counted byte for byte, however it is cut",
        arguments: [
            ("3\r\n{}\n\r\n0\r\n\r\nGET", .ends(after: 13)), ("3\r\n{}\n\r\n", .more), ("", .more),
            ("0\r\n\r\n", .ends(after: 5)), ("0\n\n", .ends(after: 3)),
            ("0;a=b\r\nX: 1\r\nY: 2\r\n\r\n!", .ends(after: 21)),
            ("A\r\n0123456789\r\n0\r\n\r\n", .ends(after: 20)),
            (String(repeating: "0", count: 5_000), .endless), ("3;" + String(repeating: "a", count: 4_100), .endless),
            ("0\r\n" + String(repeating: "X: 1\r\n", count: 1_000), .endless),
            (String(repeating: "1;" + String(repeating: "a", count: 100) + "\r\n \r\n", count: 100), .endless),
            (String(repeating: "1\r\n \r\n", count: 10_000), .more),
        ] as [(String, ChunkScanner.Verdict)]
    )
    func chunks(_ text: String, _ expected: ChunkScanner.Verdict) {
        let bytes = Array(text.utf8)
        var whole = ChunkScanner()
        #expect(whole.scan(bytes) == expected)
        var pieces = ChunkScanner()
        var verdict = ChunkScanner.Verdict.more
        for (place, byte) in bytes.enumerated() where verdict == .more {
            verdict = pieces.scan(CollectionOfOne(byte))
            if verdict == .ends(after: 1) { verdict = .ends(after: place + 1) }
        }
        #expect(verdict == expected)
    }

    @Test(
        "Heads that two programs could read differently are refused",
        arguments: [
            ("/", .http1_1, [("Host", "a")], nil), ("/", .http1_1, [], "no Host"), ("/", .http1_0, [], nil),
            ("/", .http1_1, [("Host", "a"), ("host", "a")], "several Hosts"),
            ("/", .http1_0, [("Host", "a"), ("host", "b")], "several Hosts"),
            ("/", .http1_1, [("Host", "a b")], "bad Host"), ("/", .http1_1, [("Host", "a,b")], nil),
            ("/", .http1_1, [("Host", "[::1]:8000")], nil), ("/", .http1_1, [("Host", "")], nil),
            ("/", .http1_1, [("Host", "a:65535")], nil), ("/", .http1_1, [("Host", "a:")], nil),
            ("/", .http1_1, [("Host", "a%2Db")], nil), ("/", .http1_1, [("Host", "a:65536")], "bad Host"),
            ("/", .http1_1, [("Host", "[::1")], "bad Host"), ("/", .http1_1, [("Host", "a:b")], "bad Host"),
            ("/", .http1_1, [("Host", "a:1:2")], "bad Host"), ("/", .http1_1, [("Host", "a%00b")], "bad Host"),
            ("/", .http1_1, [("Host", "[]")], "bad Host"), ("/", .http1_1, [("Host", "a%2")], "bad Host"),
            ("http://a/x", .http1_1, [("Host", "a")], nil), ("ftp://a/x", .http1_1, [("Host", "a")], "bad target"),
            ("http://b/x", .http1_1, [("Host", "a")], "Host differs from the target"),
            ("x", .http1_1, [("Host", "a")], "bad target"), ("*", .http1_1, [("Host", "a")], nil),
            (
                "/", .http1_1, [("Host", "a"), ("Content-Length", "1"), ("Content-Length", "1")],
                "several Content-Lengths"
            ),
            ("/", .http1_1, [("Host", "a"), ("Transfer-Encoding", "Chunked")], nil),
            (
                "/", .http1_1, [("Host", "a"), ("Transfer-Encoding", "gzip, chunked")],
                "a Transfer-Encoding that is not just chunked"
            ),
            (
                "/", .http1_1, [("Host", "a"), ("Transfer-Encoding", "chunked"), ("Content-Length", "3")],
                "Transfer-Encoding beside another length"
            ),
            (
                "/", .http1_0, [("Host", "a"), ("Transfer-Encoding", "chunked")],
                "Transfer-Encoding beside another length"
            ),
        ] as [(String, HTTPVersion, [(String, String)], String?)]
    )
    func heads(_ target: String, _ version: HTTPVersion, _ headers: [(String, String)], _ expected: String?) {
        let head = HTTPRequestHead(version: version, method: .POST, uri: target, headers: HTTPHeaders(headers))
        #expect(HeadCheck.fault(of: head) == expected)
    }
}
