/// Parses the header `Retry-After` as a number of seconds (RFC 9110, 10.2.3); its other form, a date, is not supported.
public enum RetryAfter {
    /// The maximum wait in seconds; longer values are reduced to one day.
    public static let longest = 86_400.0

    /// The seconds to wait, from 0 to ``longest``; nil when the text is not a finite, non-negative number of seconds.
    public static func seconds(_ header: String) -> Double? {
        let text = header.drop { $0 == " " || $0 == "\t" }
        guard text.utf8.count <= 64, let seconds = Double(text), seconds.isFinite, seconds >= 0 else { return nil }
        return min(seconds, longest)
    }
}
