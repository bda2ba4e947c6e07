import Foundation
import WhorlProtocol

/// Fixtures in JSON Lines files, one JSON object per line; `make fixture NAME=…` prints one.
package enum FixtureFile {
    /// All fixtures of a folder in `Tests/Fixtures`, named `file/fixture`, in the order of the file names.
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
