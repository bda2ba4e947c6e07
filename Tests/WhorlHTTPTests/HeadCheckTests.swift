import NIOHTTP1
import Testing

@testable import WhorlHTTP

@Suite struct HeadCheckTests {
    @Test(
        "Heads that two parsers could interpret differently are refused",
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
