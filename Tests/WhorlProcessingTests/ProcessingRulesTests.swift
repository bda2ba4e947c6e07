import Foundation
import Testing
import WhorlProtocol
import WhorlTestSupport

@testable import WhorlProcessing

@Suite("Event processing rules") struct ProcessingRulesTests {
    // MARK: - Scrubbing

    @Test("Sensitive members are replaced at every depth, and nothing else changes")
    func scrubsKeys() throws {
        let text = """
            {"message":"hi","extra":{"password":"hunter2","Api-Key":"k","nested":[{"user_secret":{"a":1}}],"author":"Ann",
            "tokens":7,"empty":"","ok":"[Filtered]"},"request":{"url":"https://bob:pw@shop.example/a?b=1&token=xyz&c=2",
            "headers":[["Authorization","Basic abcdefgh"],["Accept","*/*"]],"cookies":{"sid":"1"},
            "query_string":"q=1&access_token=abc","data":"user=ann&passwd=hunter2"},
            "modules":{"tokenizers":"0.15","secretstorage":"3.3"},"user":{"id":"7","session":"s3cr3t"}}
            """
        let event = try processed(text)
        let stored = String(decoding: event.payload, as: UTF8.self)
        for secret in ["hunter2", "\"k\"", "abcdefgh", "bob:pw", "xyz", "=abc", "s3cr3t", "\"sid\"", "\"a\":1", ":7,"] {
            #expect(!stored.contains(secret), "\(secret)")
        }
        for kept in [
            "Ann", "0.15", "3.3", "*/*", "b=1&token=[Filtered]&c=2", "user=ann&passwd=[Filtered]", "\"id\":\"7\"",
        ] {
            #expect(stored.contains(kept), "\(kept)")
        }
        #expect(try JSONDocument(Array(event.payload)).root.isObject)
        let paths = Set(event.storedNotes.map(\.path))
        #expect(paths.isSuperset(of: ["extra.password", "extra.nested.0.user_secret", "request.headers.0.1"]))
        #expect(event.storedNotes.allSatisfy { $0.reason == "scrubbed" })
    }

    @Test(
        "Sensitive parts of strings are replaced",
        arguments: [
            ("paid with 4111 1111 1111 1111 today", "paid with [Filtered] today"),
            ("paid with 4111-1111-1111-1111", "paid with [Filtered]"), ("amex 378282246310005.", "amex [Filtered]."),
            ("id 4111111111111112 is no card", nil), ("at 1763673600123456789 ns", nil),
            ("hash a4111111111111111", nil),
            ("SSN 123-45-6789 on file", "SSN [Filtered] on file"), ("call 555-123-4567", nil),
            ("Authorization: Bearer abcDEF123456.xyz", "Authorization: Bearer [Filtered]"), ("a Basic idea of it", nil),
            ("see postgres://app:s3cret@db/x", "see postgres://[Filtered]@db/x"), ("see https://example.com/a@b", nil),
            (
                "-----BEGIN RSA PRIVATE KEY-----\\nMIIabc\\n-----END RSA PRIVATE KEY-----\\nrest",
                "[Filtered]"
            ),
        ] as [(String, String?)]
    )
    func scrubsTexts(_ text: String, _ expected: String?) throws {
        let event = try processed(#"{"message":"\#(text)","extra":{"x":"\#(text)"}}"#)
        let extra = try JSONDocument(Array(event.payload)).root.member("extra")?.member("x")?.string ?? ""
        if let expected {
            #expect(extra.hasPrefix(expected), "\(extra)")
            #expect(!event.title.contains("MIIabc") && !event.title.contains("4111"))
        } else {
            #expect(extra == text)
            #expect(event.storedNotes.isEmpty)
        }
    }

    @Test(
        "Long values and escapes do not hide a secret",
        arguments: [
            #"{"extra":{"cookie":"LONG"}}"#, #"{"extra":{"p\u0061ssword":"hunter2"}}"#,
            #"{"message":"see https:\/\/bob:hunter2@host\/ LONG"}"#,
            #"{"request":{"query_string":"a=1\u0026pwd=hunter2"}}"#,
            #"{"request":{"data":"{\"password\":\"hunter2\"}"}}"#, #"{"request":{"data":"password=hunter2\"more"}}"#,
            #"{"request":{"headers":[["\u0041uthorization","hunter2"]]}}"#,
            #"{"message":"Bearer hunter2hunter2 LONG"}"#,
        ]
    )
    func hidden(_ template: String) throws {
        let long = String(repeating: "hunter2 ", count: 1_500)
        let text = template.replacingOccurrences(of: "\"LONG\"", with: "\"\(long)\"")
            .replacingOccurrences(of: "LONG", with: String(repeating: "x", count: 12_000))
        let stored = String(decoding: try processed(text).payload, as: UTF8.self)
        #expect(!stored.contains("hunter2"), "\(stored.prefix(200))")
        #expect(stored.contains("[Filtered]"))
    }

    @Test("IP and mail addresses are removed only if the project requests it")
    func scrubsPersons() throws {
        let text = """
            {"user":{"id":"1","ip_address":"203.0.113.9","email":"ann@example.com"},"extra":{"note":"from 203.0.113.9 by \
            ann@example.com"},"request":{"env":{"REMOTE_ADDR":"203.0.113.9"}}}
            """
        let kept = String(decoding: try processed(text).payload, as: UTF8.self)
        #expect(kept.contains("203.0.113.9") && kept.contains("ann@example.com"))
        var scrubbing = ScrubSettings()
        scrubbing.removesAddresses = true
        scrubbing.removesMailAddresses = true
        let gone = try processed(text, ProcessingRules(scrubbing: scrubbing))
        let stored = String(decoding: gone.payload, as: UTF8.self)
        #expect(!stored.contains("203.0.113") && !stored.contains("ann@"))
        #expect(stored.contains("\"id\":\"1\""))
        #expect(gone.clientAddress == nil)
        #expect(!gone.tags.contains { $0.value.contains("203.") })
    }

    @Test("Projects can add sensitive fields and safe fields")
    func ownWords() throws {
        var scrubbing = ScrubSettings()
        scrubbing.sensitiveFields = ["shoe size"]
        scrubbing.safeFields = ["token_type"]
        let event = try processed(
            #"{"extra":{"shoe_size":"44","token_type":"jwt","token":"x1"}}"#,
            ProcessingRules(scrubbing: scrubbing)
        )
        #expect(
            String(decoding: event.payload, as: UTF8.self)
                == #"{"extra":{"shoe_size":"[Filtered]","token_type":"jwt","token":"[Filtered]"}}"#
        )
        scrubbing.isOn = false
        let untouched = try processed(#"{"extra":{"token":"x1"}}"#, ProcessingRules(scrubbing: scrubbing))
        #expect(untouched.storedNotes.isEmpty)
    }

    // MARK: - Trimming

    @Test("Oversized members are cut deterministically with a note, and the result is valid JSON")
    func trims() throws {
        var limits = FieldLimits()
        limits.stringBytes = 300
        limits.depth = 8
        limits.members = 20
        limits.elements = 15
        limits.frames = 10
        limits.exceptions = 4
        limits.breadcrumbs = 5
        limits.tags = 6
        let frames = (0..<40).map { #"{"function":"f\#($0)","in_app":true}"# }.joined(separator: ",")
        let chain = (0..<9).map { #"{"type":"E\#($0)","value":"v","stacktrace":{"frames":[\#(frames)]}}"# }
        let text = """
            {"message":"\(String(repeating: "é\\\\n", count: 300))","tags":{\((0..<50).map { "\"t\($0)\":\"v\"" }.joined(separator: ","))},
            "breadcrumbs":[\((0..<30).map { "{\"message\":\"b\($0)\"}" }.joined(separator: ","))],
            "exception":{"values":[\(chain.joined(separator: ","))]},
            "extra":{\((0..<100).map { "\"k\($0)\":\($0)" }.joined(separator: ","))},
            "contexts":{"deep":\(String(repeating: "{\"a\":", count: 30))1\(String(repeating: "}", count: 30))},
            "list":[\((0..<99).map(String.init).joined(separator: ","))]}
            """
        let rules = ProcessingRules(limits: limits)
        let event = try processed(text, rules)
        let again = try processed(text, rules)
        #expect(Array(event.payload) == Array(again.payload))
        let root = try JSONDocument(Array(event.payload)).root
        #expect((root.member("message")?.stringLength ?? 999) <= 300)
        #expect(root.member("message")?.string?.hasSuffix("...") == true)
        #expect(root.member("message")?.string?.contains("\u{FFFD}") == false)
        #expect(
            Array(root.member("breadcrumbs")!.elements).map { $0.member("message")?.string }
                == (25..<30).map { "b\($0)" }
        )
        let values = Array(root.member("exception")!.member("values")!.elements)
        #expect(values.map { $0.member("type")?.string } == ["E0", "E1", "E7", "E8"])
        let kept = Array(values[0].member("stacktrace")!.member("frames")!.elements)
            .map { $0.member("function")?.string }
        #expect(kept == ["f0", "f1", "f2", "f3", "f4", "f35", "f36", "f37", "f38", "f39"])
        #expect(Array(root.member("list")!.elements).count == 15)
        #expect(Array(root.member("extra")!.members).count == 20)
        let reasons = Set(event.storedNotes.map(\.reason))
        #expect(reasons == ["value_too_long", "too_many_elements", "too_many_members", "depth_limit"])
        // The result is stable: a second pass changes nothing.
        let second = try processed(String(decoding: event.payload, as: UTF8.self), rules)
        #expect(second.storedNotes.isEmpty)
        #expect(second.hashes.map(\.hash) == event.hashes.map(\.hash))
    }

    @Test("An event within its limits is stored unchanged")
    func untouched() throws {
        var looked = 0
        for capture in try Capture.all() where capture.isIngest && capture.header("content-encoding") == nil {
            guard let envelope = try? Envelope(capture.body[...]) else { continue }
            for item in envelope.items where item.type == "event" {
                guard
                    case .processed(let event) = try EventPipeline.process(
                        item.payload,
                        context,
                        ProcessingRules(scrubbing: off)
                    )
                else { continue }
                looked += 1
                if event.storedNotes.isEmpty { #expect(event.payload == item.payload, "\(capture.name)") }
            }
        }
        #expect(looked > 10)
    }

    private var off: ScrubSettings {
        var off = ScrubSettings()
        off.isOn = false
        return off
    }

    // MARK: - Filters

    @Test("Each filter drops only the events that it names")
    func filters() throws {
        var settings = FilterSettings()
        func reason(_ text: String, client: String? = nil) throws -> FilterReason? {
            var context = context
            context.clientAddress = client
            guard
                case .filtered(let reason, _) = try EventPipeline.process(
                    Array(text.utf8)[...],
                    context,
                    ProcessingRules(filter: settings)
                )
            else { return nil }
            return reason
        }
        let local = #"{"request":{"url":"http://localhost:3000/x"}}"#
        let release = #"{"release":"shop@1.2.3"}"#
        let fault = #"{"exception":[{"type":"TimeoutError","value":"took 5 s"}]}"#
        let message = #"{"message":"ResizeObserver loop limit exceeded"}"#
        let crawler = #"{"request":{"headers":[["User-Agent","Mozilla/5.0 (compatible; Googlebot/2.1)"]]}}"#
        let antique = #"{"request":{"headers":{"user-agent":"Mozilla/4.0 (compatible; MSIE 8.0; Windows NT 6.1)"}}}"#
        let all = [local, release, fault, message, crawler, antique]
        for text in all { #expect(try reason(text) == nil) }
        settings.localhost = true
        settings.releases = ["shop@1.*"]
        settings.errorTypes = ["Timeout*"]
        settings.messages = ["resizeobserver*"]
        settings.webCrawlers = true
        settings.legacyBrowsers = true
        settings.addresses = ["198.51.100.0/24"]
        let reasons = try all.map { try reason($0) }
        #expect(reasons == [.localhost, .release, .errorType, .message, .webCrawlers, .legacyBrowsers])
        #expect(try reason(#"{"message":"fine"}"#, client: "198.51.100.7") == .address)
        #expect(try reason(#"{"message":"fine"}"#, client: "198.51.101.7") == nil)
        #expect(
            try reason(
                #"{"release":"shop@2.0","message":"no ResizeObserver","request":{"url":"https://localhost.evil.example/"}}"#
            ) == nil
        )
    }

    @Test("A glob match takes time bounded by the length of the pattern and of the text")
    func globTime() throws {
        let glob = try #require(Glob(String(repeating: "*a", count: 99) + "b"))
        let start = ContinuousClock.now
        #expect(!glob.matches(String(repeating: "a", count: 1_000_000)))
        #expect(start.duration(to: .now) < scaledBound(.seconds(1)))
    }

    // MARK: - Helpers

    private var context: EventContext {
        EventContext(projectID: 1, eventID: nil, receivedAt: Date(timeIntervalSince1970: 1_763_673_600))
    }

    private func processed(_ text: String, _ rules: ProcessingRules = ProcessingRules()) throws -> ProcessedEvent {
        guard case .processed(let event) = try EventPipeline.process(Array(text.utf8)[...], context, rules) else {
            throw TestFailure("filtered")
        }
        return event
    }
}
