import Testing
import WhorlProtocol

@testable import WhorlProcessing

@Suite("Secrets in strings")
struct SecretTests {
    private func processed(_ event: JSON) throws -> ProcessedEvent {
        let context = EventContext(
            projectID: 1,
            eventID: .random(),
            receivedAt: .init(timeIntervalSince1970: 1_763_673_600)
        )
        guard case .processed(let event) = try EventPipeline.process(event.encoded()[...], context, ProcessingRules())
        else {
            throw EventPipelineRefusal()
        }
        return event
    }

    private struct EventPipelineRefusal: Error {}

    private static let texts = [
        "GET https://user:hunter2@shop.example/pay failed", "GET https://shop.example/pay?token=hunter2&page=3",
        "/pay?page=3&api_key=hunter2", "postgres://whorl:hunter2@db/whorl",
        "see /a?b=1, then /c?password=hunter2 (twice)", "GET /pay?pass%77ord=hunter2",
        "see //bob:hunter2@shop.example/",
        #"{"url":"https:\/\/bob:hunter2@shop.example\/"}"#, "https://bob:hunter2\u{200B}@shop.example/",
        "/pay?m%FCller_password=hunter2", "/pay?100%_token=hunter2",
    ]

    @Test(
        "Credentials in URLs are removed from every member, the title and the culprit",
        arguments: texts
    )
    func urls(_ text: String) throws {
        let text = JSON.string(text)
        let events: [JSON] = [
            ["transaction": text, "message": "m"], ["message": text],
            ["logentry": ["formatted": text, "params": [text]]],
            ["message": "m", "breadcrumbs": ["values": [["message": text, "category": "http"]]]],
            ["exception": ["values": [["type": "E", "value": text]]]], ["exception": ["values": [["type": text]]]],
            ["message": "m", "request": ["url": text]],
            ["message": "m", "contexts": ["trace": ["description": text]]],
            ["message": "m", "tags": ["url": text]], ["message": "m", "extra": ["note": text]],
            ["message": "m", "fingerprint": ["x", text]], ["message": "m", "modules": ["a": text]],
            ["message": "m", "modules": .object([(text.string ?? "", "1")])],
            ["message": "m", "sdk": ["name": text, "version": text, "packages": [["name": text, "version": "1"]]]],
            ["message": "m", "debug_meta": ["images": [["code_file": text, "debug_file": text, "type": "elf"]]]],
            ["message": "m", "tags": .object([(text.string ?? "", "1")])],
            ["message": "m", "tags": [[text, "1"]]],
            [
                "message": "m",
                "extra": .object([(text.string ?? "", ["a": .string(String(repeating: "x", count: 9_000))])]),
            ],
        ]
        for event in events {
            let admitted = try processed(event)
            let payload = String(decoding: admitted.payload, as: UTF8.self)
            #expect(!payload.contains("hunter2"), "\(event.text) became \(payload)")
            #expect(!admitted.title.contains("hunter2"))
            #expect(!admitted.culprit.contains("hunter2"))
            #expect(!"\(admitted.notes)\(admitted.tags)\(admitted.sdk ?? "")".contains("hunter2"), "\(event.text)")
        }
    }

    @Test("The password of a truncated URL is removed; a port is kept")
    func cutURL() throws {
        let padding = String(repeating: "x", count: 8_150)
        for (text, isKept) in [
            ("\(padding) http://u:hunter2\(String(repeating: "y", count: 200))@h/", false),
            ("\(padding) http://u:\(String(repeating: "7", count: 200))", true),
        ] {
            for event in [["message": .string(text)], ["message": "m", "extra": ["note": .string(text)]]] as [JSON] {
                let payload = String(decoding: try processed(event).payload, as: UTF8.self)
                #expect(payload.contains("http://u") == isKept, "\(payload.suffix(200))")
                #expect(!payload.contains("hunter2"))
            }
        }
    }

    @Test("Ids, versions and fingerprints are scrubbed of credentials in URLs only")
    func exempt() throws {
        let event: JSON = [
            "message": "see https://bob:hunter2@shop.example",
            "fingerprint": ["token-expired", "eu"],
            "modules": ["password": "1.0", "secret-lib": "4111 1111 1111 1111"],
            "sdk": ["name": "a", "version": "1", "integrations": ["auth", "session"]],
            "debug_meta": ["images": [["debug_id": "41111111-1111-1111-4111-111111111111", "code_file": "/srv/a"]]],
        ]
        let payload = String(decoding: try processed(event).payload, as: UTF8.self)
        for member in ["fingerprint", "modules", "sdk", "debug_meta"] {
            let text = try #require(event[member]).text
            #expect(payload.contains(text), "\(payload)")
        }
        #expect(!payload.contains("hunter2"))
    }

    @Test("Strings without credentials stay unchanged")
    func harmless() throws {
        for text in [
            "is this = that?", "/pay?page=3&sort=asc", "why? because a=b", "100% of /a?x=%zz", "// see foo@bar.example",
            #"{"site":"https://shop.example","mail":"bob@x.example"}"#, "<a href=\"//cdn.example\">b:c@x</a>",
            #"["//cdn.example","mail","b:ob@x.example"]"#, "a // b: c@d", "npm:@scope/name@1.2.3",
            "https://shop.example/@user/a:b@c", #"C:\temp\/x"#,
        ] {
            let payload = String(decoding: try processed(["message": .string(text)]).payload, as: UTF8.self)
            #expect(payload.contains(JSON.string(text).text), "\(payload)")
        }
    }
}
