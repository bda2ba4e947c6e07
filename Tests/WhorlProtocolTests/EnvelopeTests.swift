import Testing
import WhorlProtocol

@Suite("Envelope framing")
struct EnvelopeTests {
    private func read(_ text: String) throws -> Envelope { try Envelope(Array(text.utf8)[...]) }

    private func items(_ text: String) throws -> [String] {
        try read(text).items.map { "\($0.type)=\(String(decoding: $0.payload, as: UTF8.self))" }
    }

    @Test(
        "Items are read with and without a length, and with the deviations of real SDKs",
        arguments: [
            ("{}", []), ("{}\n", []), ("{}\n\n\n", []), ("\n {}", []),
            ("{}\n{\"type\":\"event\"}\nabc", ["event=abc"]),
            ("{}\n{\"type\":\"event\"}\nabc\n", ["event=abc"]),
            ("{}\n{\"type\":\"event\",\"length\":3}\nabc", ["event=abc"]),
            (
                "{}\n{\"type\":\"event\",\"length\":5}\na\nb\nc\n\n{\"type\":\"x\",\"length\":null}\nd",
                ["event=a\nb\nc", "x=d"]
            ),
            ("{}\n\n\n{\"type\":\"a\"}\n1\n\n{\"type\":\"b\"}\n2", ["a=1", "b=2"]),
            ("{}\r\n{\"type\":\"a\",\"length\":1}\r\n1\r\n{\"type\":\"b\"}\n2\r", ["a=1", "b=2\r"]),
            ("{}\n{\"type\":\"a\",\"length\":0}\n\n{\"type\":\"b\",\"length\":0}", ["a=", "b="]),
            ("{}\n{\"type\":\"a\",\"length\":0}\n{\"type\":\"b\"}\n2", ["a=", "b=2"]), ("{}\n{\"type\":\"a\"}", ["a="]),
            ("{}\n{\"type\":\"a\"}\n", ["a="]),
            ("{}\n{\"type\":\"é\",\"length\":2,\"extra\":[1]}\né", ["é=é"]),
        ]
    )
    func framed(text: String, expected: [String]) throws {
        #expect(try items(text) == expected)
    }

    @Test(
        "Malformed framing is refused",
        arguments: [
            "", "\n\n", "x", "[]", "{}x", "{}\n{}", "{}\n{\"type\":1}\n", "{}\n{\"type\":\"\"}\n", "{}\n[]\n",
            "{}\n{\"type\":\"a\",\"length\":4}\nabc", "{}\n{\"type\":\"a\",\"length\":2}\nabc",
            "{}\n{\"type\":\"a\",\"length\":-1}\nabc", "{}\n{\"type\":\"a\",\"length\":1.5}\nabc",
            "{}\n{\"type\":\"a\",\"length\":\"3\"}\nabc", "{}\n{\"type\":\"a\",\"length\":9223372036854775808}\nabc",
            "{}\n{\"type\":\"a\",\"length\":1e400}\nabc", "{}\n{\"type\":\"a\"}x\nabc",
        ]
    )
    func broken(text: String) {
        #expect(throws: Envelope.FramingError.self) { try read(text) }
    }

    @Test("The number of items and the length of header lines are limited")
    func bounds() throws {
        let many = "{}\n" + String(repeating: "{\"type\":\"a\"}\n\n", count: 251)
        #expect(throws: Envelope.FramingError.self) { try read(many) }
        let long = "{\"a\":\"" + String(repeating: "x", count: 70_000) + "\"}\n"
        #expect(throws: Envelope.FramingError.self) { try read(long) }
    }

    @Test("The header's event id is read with and without hyphens")
    func header() throws {
        let id = "7f9d34a8-c3b1-4a5e-9d0d-7f2b1c0e4a55"
        #expect(try read("{\"event_id\":\"\(id)\"}").eventID?.hex == id.filter { $0 != "-" })
        #expect(try read("{\"event_id\":\"../../etc\"}").eventID == nil)
        #expect(try read("{\"event_id\":\"\(String(repeating: "0", count: 32))\"}").eventID == nil)
    }
}
