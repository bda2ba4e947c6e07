import WhorlProtocol

/// Where an event happened, in a few words: the unit of work, else the crash frame, else the request.
enum Culprit {
    static func text(of event: Event) -> String {
        let maxBytes = 200
        if let transaction = event.transaction { return transaction.prefix(bytes: maxBytes) }
        if let named = event.culprit { return named.prefix(bytes: maxBytes) }
        if event.exceptions.last?.mechanism?.isSynthetic == true { return "" }
        if let frame = CrashFrame.frame(of: event) {
            let place = frame.module ?? frame.filename
            let text: String
            switch frame.platform ?? event.platform {
            case "native", "c", "cocoa", "objc", "swift": text = frame.function ?? "?"
            case "javascript", "node": text = "\(frame.function ?? "?")(\(place ?? "?"))"
            default: text = "\(place ?? "?") in \(frame.function ?? "?")"
            }
            return text.prefix(bytes: maxBytes)
        }
        return (event.request?.member("url")?.string ?? "").prefix(bytes: maxBytes)
    }
}
