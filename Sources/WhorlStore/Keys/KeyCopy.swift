import Foundation
import Glibc

/// A copy of the keys, as last read from the database, in a file of the data directory.
///
/// It lets a collector that starts during a database outage accept requests with known keys.
package struct KeyCopy: Sendable {
    private struct Content: Codable {
        var version = 1
        var keys: [String: KeyInfo]
    }

    private let path: String

    /// Makes the copy in a directory.
    package init(directory: String) { path = directory + "/keys.json" }

    /// Whether there is a copy, with which the collector can start without the database.
    package var exists: Bool { FileManager.default.fileExists(atPath: path) }

    /// The keys by their public part; empty when there is no readable copy.
    func load() -> [String: KeyInfo] {
        guard let data = FileManager.default.contents(atPath: path),
            let content = try? JSONDecoder().decode(Content.self, from: data), content.version == 1
        else { return [:] }
        return content.keys
    }

    /// Writes the copy to a new file, syncs it, and renames it over the old one, so that there is always a complete
    /// copy.
    func save(_ keys: [String: KeyInfo]) throws {
        let data = try JSONEncoder().encode(Content(keys: keys))
        let draft = path + ".new"
        let file = open(draft, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw POSIXError(.init(rawValue: errno) ?? .EIO) }
        defer { close(file) }
        try data.withUnsafeBytes { bytes in
            var written = 0
            while written < bytes.count {
                let count = write(file, bytes.baseAddress?.advanced(by: written), bytes.count - written)
                guard count > 0 else { throw POSIXError(.init(rawValue: errno) ?? .EIO) }
                written += count
            }
        }
        guard fsync(file) == 0, rename(draft, path) == 0 else { throw POSIXError(.init(rawValue: errno) ?? .EIO) }
    }
}
