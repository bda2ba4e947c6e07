import WhorlProtocol

/// Grouping by the message: the template, else the text, with values replaced with placeholders.
enum MessageRule {
    static func component(_ event: Event) -> GroupingComponent? {
        guard let entry = event.message, let text = entry.message ?? entry.formatted else { return nil }
        return .value("message", MessageText.parameterised(text))
    }
}
