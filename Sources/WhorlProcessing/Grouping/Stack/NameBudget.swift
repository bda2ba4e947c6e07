/// Bounds how many bytes of names are cleaned for one event, by each version of grouping.
///
/// Cleaning a name takes up to a hundred nanoseconds a byte, and an event may be a mebibyte of names. Names over the bound
/// count as they were sent. What the largest of real stacks hold is far below: 250 frames of 200 bytes.
final class NameBudget {
    /// Bytes of all names of an event.
    private static let perEvent = 128 << 10
    /// Bytes of one name.
    private static let perName = 4 << 10

    private var left = NameBudget.perEvent

    /// Whether a name may be cleaned; it is counted.
    func allows(_ name: String?) -> Bool {
        guard let count = name?.utf8.count else { return true }
        guard count <= Self.perName, count <= left else { return false }
        left -= count
        return true
    }
}
