import Foundation
import WhorlProtocol

/// Fixtures that lie together in files of lines, one JSON object each; `make fixture NAME=…` prints one.
package enum FixtureFile {
    /// The fixtures of a folder in `Tests/Fixtures`, as `file/fixture`, in the order of their names.
    package static func all(_ folder: String) throws -> [(name: String, root: JSONNode)] {
        let path = TestCollector.repository + "/Tests/Fixtures/" + folder
        return try FileManager.default.contentsOfDirectory(atPath: path).filter { $0.hasSuffix(".jsonl") }.sorted()
            .flatMap { file -> [(name: String, root: JSONNode)] in
                let bytes = Array(try Data(contentsOf: URL(fileURLWithPath: path + "/" + file)))
                return try bytes.split(separator: UInt8(ascii: "\n"))
                    .map { line in
                        let root = try JSONDocument(Array(line)).root
                        guard let name = root.member("fixture")?.string else {
                            throw TestFailure("a line of \(file) has no name")
                        }
                        return ("\(file.dropLast(6))/\(name)", root)
                    }
            }
    }
}
