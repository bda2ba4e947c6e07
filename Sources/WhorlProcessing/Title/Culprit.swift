import WhorlProtocol

/// A short description of where an event happened.
///
/// It is the transaction, else the culprit that the client sends, else the crash frame, else the request URL.
enum Culprit {
    static func text(of event: Event) -> String {
        let maxBytes = 200
        if let transaction = event.transaction { return transaction.prefix(bytes: maxBytes) }
        if let named = event.culprit { return named.prefix(bytes: maxBytes) }
        if event.exceptions.last?.mechanism?.isSynthetic == true { return "" }
        if let frame = CrashFrame.frame(of: event) {
            let place = frame.module ?? frame.filename
            let function = CrashFrame.function(of: frame, event) ?? "?"
            let text =
                switch PlatformFamily(frame.platform ?? event.platform) {
                case .native: function
                case .script: "\(function)(\(place ?? "?"))"
                default: "\(place ?? "?") in \(function)"
                }
            return text.prefix(bytes: maxBytes)
        }
        return (event.request?.member("url")?.string ?? "").prefix(bytes: maxBytes)
    }
}
