import Foundation
import WhorlProtocol

/// Whether a JSON value of Whorl and a JSON value of Foundation are equal.
package func sameValue(_ ours: JSON, _ theirs: Any) -> Bool {
    switch (ours, theirs) {
    case (.null, is NSNull): true
    case (.string(let text), let other as String): text == other
    case (.bool(let value), let other as Bool): value == other
    case (.number(let digits), let other as NSNumber):
        // Foundation rounds some numbers because it parses them as decimals.
        Double(digits).map { abs($0 - other.doubleValue) <= abs($0) * 1e-12 } ?? false
    case (.array(let elements), let other as [Any]):
        elements.count == other.count && zip(elements, other).allSatisfy { sameValue($0, $1) }
    case (.object(let members), let other as [String: Any]):
        members.count == other.count
            && members.allSatisfy { member in other[member.key].map { sameValue(member.value, $0) } ?? false }
    default: false
    }
}
