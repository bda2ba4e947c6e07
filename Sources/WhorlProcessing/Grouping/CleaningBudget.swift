/// Bounds how many bytes of texts are cleaned for one event, by each version of grouping.
///
/// Cleaning takes up to a hundred nanoseconds a byte of a name and three hundred of a message, and an event may be a
/// mebibyte of either. Texts over the bound count as they were sent.
final class CleaningBudget {
    private let perText: Int
    private var left: Int

    init(perEvent: Int, perText: Int) {
        left = perEvent
        self.perText = perText
    }

    /// For names of types, functions and modules; real stacks have 250 frames of 200 bytes at most.
    static var names: CleaningBudget { CleaningBudget(perEvent: 128 << 10, perText: 4 << 10) }
    /// For the messages of exceptions without a stack; of each the first 8 KiB are looked at.
    static var messages: CleaningBudget { CleaningBudget(perEvent: 32 << 10, perText: .max) }

    /// Whether a text may be cleaned; it is counted.
    func allows(_ text: String?) -> Bool {
        guard let count = text?.utf8.count else { return true }
        guard count <= perText, count <= left else { return false }
        left -= count
        return true
    }
}
