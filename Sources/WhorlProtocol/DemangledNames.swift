/// The demangled forms of mangled names, such as the function names of an event.
///
/// A lookup is a pure function. Demangling is not pure and happens earlier (`NameDemangler` in WhorlProcessing).
public struct DemangledNames: Sendable, Equatable {
    private let names: [String: String]

    /// An empty collection.
    public static let none = DemangledNames([:])

    /// Creates a collection of demangled names by mangled name.
    public init(_ names: [String: String]) { self.names = names }

    /// The demangled form of a name; nil when the name is not mangled or was not demangled.
    public subscript(name: String) -> String? { names.isEmpty ? nil : names[name] }
}
