import Foundation
import Testing
import WhorlProtocol
import WhorlTestSupport

@Suite("JSON reader")
struct JSONDocumentTests {
    private func read(_ text: String) throws -> JSON { JSON(try JSONDocument(Array(text.utf8)).root) }

    @Test("Keys with escapes are found like other keys")
    func escapedKeys() throws {
        let text = #"{"m\u0065ss\u0061ge":1,"a\/b":2,"\t":3,"\u00e9":4,"mess":5,"messages\u0021":6,"\u0000":7,"\\":8}"#
        let root = try JSONDocument(Array(text.utf8)).root
        #expect(root["message"]?.int == 1)
        #expect(root["a/b"]?.int == 2)
        #expect(root["\t"]?.int == 3)
        #expect(root["mess"]?.int == 5)
        #expect(root["messages!"]?.int == 6)
        #expect(root["\\"]?.int == 8)
        for absent in ["messages", "messag", "e", "", "messages!!"] as [StaticString] {
            #expect(root[absent] == nil, "\(absent)")
        }
        let list = try JSONDocument(Array(#"["\u0065rror","err\u00f6r"]"#.utf8)).root
        #expect(list.elements.map { $0.equals("error") } == [true, false])
    }

    @Test(
        "Valid JSON is read",
        arguments: [
            "{}", "[]", " [ ] ", "0", "-0", "-0.5e-7", "1E+2", "\"\"", "null", "true", "false",
            "{\"a\":[1,{\"b\":null}],\"c\":\"d\"}", "\t\r\n{\"a\" : 1 }\n", "[\"\\u00e9\\n\\\"\\\\\\/\"]",
        ]
    )
    func accepted(text: String) throws {
        let ours = try read(text)
        let theirs = try JSONSerialization.jsonObject(with: Data(text.utf8), options: .fragmentsAllowed)
        #expect(sameValue(ours, theirs), "\(text)")
    }

    @Test(
        "Invalid JSON is refused",
        arguments: [
            "", " ", "{", "[", "]", "{]", "[1,]", "{\"a\":1,}", "{a:1}", "{\"a\" 1}", "{\"a\":}", "[1 2]", "01", "+1",
            "1.",
            ".5", "1e", "-", "tru", "nul", "\"", "\"\\x\"", "\"\\u12g4\"", "\"\\u12", "1 1", "{} x", "[1]]", "'a'",
            "// c\n1", "nan", "-Inf", "{\"a\":1 \"b\":2}", "{1:2}", ",", "[,1]",
        ]
    )
    func refused(text: String) {
        #expect(throws: JSONDocument.SyntaxError.self) { try read(text) }
    }

    @Test("Common JSON errors of SDKs are tolerated")
    func tolerant() throws {
        #expect(try read("\u{FEFF}[1]") == [1])
        #expect(try read("[NaN,Infinity,-Infinity]") == [nil, nil, nil])
        #expect(try JSONDocument(Array("[NaN]".utf8)).hasNonFiniteNumbers)
        #expect(try read("\"\\ud83d lone\"") == "\u{FFFD} lone")
        #expect(try read("\"\\udc00\\ud83d\"") == "\u{FFFD}\u{FFFD}")
        #expect(try read("\"\\ud83d\\ude00\"") == "😀")
        #expect(try read("\"a\\u0000b\"") == "a\u{FFFD}b")
        #expect(try read("\"a\u{0}b\u{1}\"") == "a\u{FFFD}b\u{1}")
        #expect(try read("{\"a\":1,\"b\":2,\"a\":3}") == ["a": 3, "b": 2])
        let document = try JSONDocument([0x22, 0xFF, 0x61, 0x22])
        #expect(document.root.string == "\u{FFFD}a")
        #expect(document.wasRepaired)
        #expect(try JSONDocument(Array("{\"a\":1,\"\\u0061\":2}".utf8)).root["a"]?.int == 2)
    }

    @Test("Numbers keep their digits, and only values in range convert to numbers")
    func numbers() throws {
        let root = try JSONDocument(Array("[1e400,1208925819614629174706176,5.0,1e3,0.1,-7]".utf8)).root
        let nodes = Array(root.elements)
        #expect(nodes[0].double == nil && nodes[0].int == nil)
        #expect(nodes[1].int == nil && nodes[1].numberText == "1208925819614629174706176")
        #expect(nodes[2].int == 5 && nodes[3].int == 1_000 && nodes[4].int == nil && nodes[4].double == 0.1)
        #expect(nodes[5].int == -7)
        #expect(JSON(root).text == "[1e400,1208925819614629174706176,5.0,1e3,0.1,-7]")
    }

    @Test("Nesting depth is limited, and millions of unclosed brackets are refused")
    func depth() throws {
        let fits = String(repeating: "[", count: 128) + String(repeating: "]", count: 128)
        _ = try read(fits)
        #expect(throws: JSONDocument.SyntaxError.self) { try read("[" + fits + "]") }
        #expect(throws: JSONDocument.SyntaxError.self) { try read(String(repeating: "[", count: 1_000_000)) }
        #expect(throws: JSONDocument.SyntaxError.self) { try read(String(repeating: "{\"a\":", count: 1_000_000)) }
    }

    @Test("Written text reads back as the same value")
    func writing() throws {
        let value: JSON = ["a\"\\\n\u{1}é😀": [1, -2, true, nil, "x", [:], []], "b": .double(0.5)]
        #expect(try read(value.text) == value)
        #expect(JSON.double(.nan) == .null)
    }
}
