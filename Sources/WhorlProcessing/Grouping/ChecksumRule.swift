import Foundation
import WhorlProtocol

/// Grouping by the checksum that very old clients compute.
enum ChecksumRule {
    static func hash(_ checksum: String) -> GroupingHash {
        if let id = EventID(checksum), checksum.utf8.count == 32 {
            return GroupingHash(variant: "checksum", hash: withUnsafeBytes(of: id.uuid.uuid) { Array($0) })
        }
        return GroupingHash(variant: "checksum", leaves: [checksum])
    }

    static func component(_ checksum: String) -> GroupingComponent {
        .value(name: "checksum", text: checksum, contributes: true, hint: nil)
    }
}
