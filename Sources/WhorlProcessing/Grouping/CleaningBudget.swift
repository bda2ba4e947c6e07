/// Limits the number of bytes that are cleaned for one event, separately for each grouping version.
///
/// Cleaning takes up to 100 ns per byte of a name and 300 ns per byte of a message, and an event may contain 1 MiB of
/// either. Texts beyond the limit are used as they were sent.
final class CleaningBudget {
    private let perText: Int
    private var left: Int

    init(perEvent: Int, perText: Int) {
        left = perEvent
        self.perText = perText
    }

    /// A budget for names of types, functions and modules; real stacks have at most 250 frames of 200 bytes.
    static var names: CleaningBudget { CleaningBudget(perEvent: 128 << 10, perText: 4 << 10) }
    /// A budget for the messages of exceptions without a stack; only the first 8 KiB of each message are read.
    static var messages: CleaningBudget { CleaningBudget(perEvent: 32 << 10, perText: .max) }

    /// Returns whether a text may be cleaned, and subtracts its size from the budget.
    func allows(_ text: String?) -> Bool {
        guard let count = text?.utf8.count else { return true }
        guard count <= perText, count <= left else { return false }
        left -= count
        return true
    }
}
