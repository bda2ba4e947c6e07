import Foundation
import Testing
import WhorlTestSupport

/// Checks the statements of `docs/architecture.md` about the layout of the code.
@Suite struct ArchitectureTests {
    private static let repository = TestCollector.repository

    private static func text(_ path: String) throws -> String {
        try String(contentsOfFile: repository + "/" + path, encoding: .utf8)
    }

    /// The rows of the table whose first cell is a number.
    private static func calls() throws -> [(file: String, function: String)] {
        try text("docs/architecture.md").split(separator: "\n")
            .compactMap { line in
                let cells = line.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) }
                guard cells.count == 4, Int(cells[0]) != nil else { return nil }
                return (cells[1].replacing("`", with: ""), cells[2].replacing("`", with: ""))
            }
    }

    @Test("The event path has at most 20 files and 25 calls, and each function exists")
    func path() throws {
        let calls = try Self.calls()
        #expect((20...25).contains(calls.count))
        #expect(Set(calls.map(\.file)).count <= 20)
        for (file, function) in calls {
            let source = try Self.text("Sources/" + file)
            let spellings = function == "init" ? ["init"] : ["func \(function)(", "func \(function)<"]
            let isDefined = spellings.contains { source.contains($0) }
            #expect(isDefined, "\(file) has no \(function)")
        }
    }

    @Test("Each call of the event path is made by an earlier file of the path")
    func order() throws {
        let calls = try Self.calls()
        // How a caller spells the call; initialisers use the type's name.
        func spelling(_ file: String, _ function: String) -> String {
            let type = file.split(separator: "/").last?.dropLast(6) ?? ""
            return function == "init" ? "\(type)(" : "\(function)("
        }
        for (index, call) in calls.enumerated().dropFirst() {
            let callers = try Set(calls[..<index].map(\.file)).map { try Self.text("Sources/" + $0) }
            let name = spelling(call.file, call.function)
            let isCalled = callers.contains { $0.contains(name) }
            #expect(isCalled, "nothing before \(call.file) calls \(call.function)")
        }
    }

    @Test("The package has the targets of the table, and each target imports only targets above it")
    func targets() throws {
        let text = try Self.text("docs/architecture.md")
        let start = try #require(text.range(of: "## Targets"))
        let end = try #require(text.range(of: "## Where to make a change"))
        let named = text[start.upperBound..<end.lowerBound].split(separator: "\n").filter { $0.hasPrefix("| `") }
            .flatMap { row in
                row.split(separator: "|")[0].split(separator: "`").filter { $0.hasPrefix("Whorl") }.map(String.init)
            }
        let folders = try FileManager.default.contentsOfDirectory(atPath: Self.repository + "/Sources")
            .filter { $0.hasPrefix("Whorl") }
        #expect(Set(named) == Set(folders + ["WhorlSchema"]))
        for (index, target) in named.enumerated() where target != "WhorlSchema" {
            let folder = Self.repository + "/Sources/" + target
            let files = try #require(FileManager.default.enumerator(atPath: folder)).compactMap { $0 as? String }
            for file in files where file.hasSuffix(".swift") {
                let source = try String(contentsOfFile: folder + "/" + file, encoding: .utf8)
                for line in source.split(separator: "\n") where line.contains("import ") && line.contains("Whorl") {
                    let words = line.split(whereSeparator: { $0 == " " || $0 == "." })
                    guard let module = words.first(where: { $0.hasPrefix("Whorl") }), words.contains("import"),
                        let place = named.firstIndex(of: String(module))
                    else { continue }
                    // The server target also uses the client, for test events.
                    #expect(place < index || target == "WhorlServer", "\(target)/\(file) imports \(module)")
                }
            }
        }
    }

    @Test("Every file in the table of changes exists")
    func changes() throws {
        let text = try Self.text("docs/architecture.md")
        let start = try #require(text.range(of: "## Where to make a change"))
        for word in text[start.upperBound...].split(separator: "`") where word.hasPrefix("Whorl") && word.contains("/")
        {
            #expect(FileManager.default.fileExists(atPath: Self.repository + "/Sources/" + word), "\(word)")
        }
    }
}
