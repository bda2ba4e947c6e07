import Foundation
import Testing
import WhorlProcessing
import WhorlProtocol
import WhorlTestSupport

@Suite("Grouping")
struct GroupingTests {
    private func hashes(_ event: JSON) throws -> [String] {
        Grouping(Event(try JSONDocument(event.encoded()).root)).hashes.map { hexString($0.hash) }
    }

    private func variants(_ event: JSON) throws -> [String] {
        Grouping(Event(try JSONDocument(event.encoded()).root)).hashes.map(\.variant)
    }

    private func frame(_ function: String, inApp: Bool = true, line: Int = 1, source: String = "x = 1") -> JSON {
        [
            "function": .string(function), "module": "shop", "filename": "shop.py", "in_app": .bool(inApp),
            "lineno": .int(line),
            "context_line": .string(source),
        ]
    }

    private func fault(_ type: String, _ value: String, _ frames: [JSON], platform: String = "python") -> JSON {
        [
            "platform": .string(platform),
            "exception": [
                "values": [["type": .string(type), "value": .string(value), "stacktrace": ["frames": .array(frames)]]]
            ],
        ]
    }

    @Test("Line numbers, messages and indentation do not split an issue; functions and types do")
    func stack() throws {
        let base = try hashes(fault("E", "order 17", [frame("a"), frame("b")]))
        #expect(try hashes(fault("E", "order 18", [frame("a", line: 9), frame("b", line: 7)])) == base)
        #expect(try hashes(fault("E", "x", [frame("a", source: "    x  =   1 "), frame("b")])) == base)
        #expect(try hashes(fault("F", "order 17", [frame("a"), frame("b")])) != base)
        #expect(try hashes(fault("E", "order 17", [frame("a"), frame("c")])) != base)
        #expect(try hashes(fault("E", "order 17", [frame("a"), frame("b", source: "y = 2")])) != base)
    }

    @Test("The leading hash covers the application's frames, the second one all frames")
    func leading() throws {
        let first = fault("E", "x", [frame("a"), frame("library_1", inApp: false)])
        let second = fault("E", "x", [frame("a"), frame("library_2", inApp: false)])
        #expect(try variants(first) == ["app", "system"])
        #expect(try hashes(first)[0] == hashes(second)[0])
        #expect(try hashes(first)[1] != hashes(second)[1])
        #expect(try variants(fault("E", "x", [frame("a", inApp: false)])) == ["system"])
        #expect(try variants(fault("E", "x", [frame("a")])).count == 1)
    }

    @Test("The depth of a recursion does not change the hash")
    func recursion() throws {
        let once = fault("E", "x", [frame("a"), frame("b")])
        let often = fault("E", "x", [frame("a"), frame("b"), frame("b"), frame("b")])
        #expect(try hashes(once) == hashes(often))
    }

    @Test("Without a stack trace the message with its parameters replaced determines the hash")
    func values() throws {
        let one = try hashes(["exception": ["values": [["type": "E", "value": "order 17 of a@b.example failed"]]]])
        let two = try hashes(["exception": ["values": [["type": "E", "value": "order 18 of c@d.example failed"]]]])
        let other = try hashes(["exception": ["values": [["type": "E", "value": "no stock"]]]])
        #expect(one == two)
        #expect(one != other)
        #expect(try hashes(["message": "took 12ms"]) == hashes(["message": "took 900ms"]))
        #expect(
            try hashes(["logentry": ["message": "a %s", "params": ["x"]]])
                == hashes(["logentry": ["message": "a %s", "params": ["y"]]])
        )
        #expect(try variants([:]) == ["fallback"])
    }

    @Test("A custom fingerprint replaces the default hash, or extends it if it contains {{ default }}")
    func fingerprint() throws {
        let frames = [frame("a")]
        func with(_ fingerprint: JSON, _ event: JSON) -> JSON {
            .object((event.object ?? []) + [("fingerprint", fingerprint)])
        }
        let one = fault("E", "x", frames)
        let two = fault("F", "y", [frame("b")])
        #expect(try hashes(with(["same"], one)) == hashes(with(["same"], two)))
        #expect(try hashes(with(["same"], one)) != hashes(with(["other"], one)))
        #expect(try hashes(with(["{{ default }}"], one)) == hashes(one))
        #expect(try hashes(with(["{{default}}", "tenant"], one)) != hashes(one))
        #expect(try hashes(with(["{{ default }}", "tenant"], one)) != hashes(with(["{{ default }}", "tenant"], two)))
        #expect(try hashes(with(["{{ type }}"], one)) == hashes(with(["E"], one)))
        #expect(try hashes(with(["a", "b"], one)) != hashes(with(["ab", ""], one)))
        #expect(try hashes(["checksum": "0123456789abcdef0123456789abcdef"]) == ["0123456789abcdef0123456789abcdef"])
    }

    @Test("In an exception group the order and number of equal members do not change the hash")
    func groups() throws {
        func member(_ type: String, _ id: Int) -> JSON {
            [
                "type": .string(type), "value": "x",
                "mechanism": ["type": "chained", "exception_id": .int(id), "parent_id": 0],
            ]
        }
        let root: JSON = [
            "type": "ExceptionGroup", "value": "g",
            "mechanism": ["type": "generic", "exception_id": 0, "is_exception_group": true],
        ]
        func group(_ members: [JSON]) -> JSON { ["exception": ["values": .array(members + [root])]] }
        let two = try hashes(group([member("A", 1), member("B", 2)]))
        #expect(try hashes(group([member("B", 1), member("A", 2), member("A", 3)])) == two)
        #expect(try hashes(group([member("A", 1)])) != two)
        #expect(try hashes(group([member("A", 1), member("A", 2)])) == hashes(group([member("A", 1)])))
        // Cyclic parents do not cause an endless loop.
        let circle: JSON = ["type": "C", "value": "x", "mechanism": ["exception_id": 1, "parent_id": 1]]
        #expect(try !hashes(group([circle])).isEmpty)
    }

    @Test("Components explain which values contribute to the hash and why")
    func components() throws {
        let event = Event(
            try JSONDocument(fault("E", "order 17", [frame("a"), frame("lib", inApp: false)]).encoded()).root
        )
        let text = try #require(GroupingExplanation(event).variants.first).component.json.text
        #expect(text.contains(#"{"id":"type","contributes":true,"hint":null,"values":["E"]}"#))
        #expect(
            text.contains(#""id":"value","contributes":false,"hint":"the stack says more","values":["order <num>"]"#)
        )
        #expect(text.contains("not part of the application"))
    }

    @Test("Grouping a hostile message takes time linear in its length")
    func linear() throws {
        let words = String(repeating: "aaaaaaaaaaaaaaaaaaaaaaaaaaaa! ((((a+)+)+)+$ 1.1.1.1.1.1 0x0x0x ", count: 2_000)
        let start = ContinuousClock.now
        _ = try hashes(["message": .string(words)])
        #expect(start.duration(to: .now) < scaledBound(.seconds(2)))
    }
}
