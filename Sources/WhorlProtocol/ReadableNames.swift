/// Readable forms of mangled names, such as those of one event's functions.
///
/// Looking one up is a pure step; reading them is not, and happens before (`NameReader` in WhorlProcessing).
public struct ReadableNames: Sendable, Equatable {
    private let names: [String: String]

    /// No names.
    public static let none = ReadableNames([:])

    /// Names by their mangled forms.
    public init(_ names: [String: String]) { self.names = names }

    /// The readable form; nil when the name is not mangled or was not read.
    public subscript(name: String) -> String? { names.isEmpty ? nil : names[name] }
}
