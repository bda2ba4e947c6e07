import ArgumentParser
import Foundation
import WhorlProcessing
import WhorlProtocol

/// The command `whorl explain EVENT.json`, which explains how an event is grouped.
struct Explain: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Prints how the event in a file is grouped: every variant, what counts, and why the rest does not."
    )

    @Argument(help: "A file with one event in JSON; - for standard input.")
    var event: String

    @Option(help: "A file with fingerprint rules.")
    var fingerprintRules: String?

    @Option(help: "A file with stack-trace rules.")
    var stackRules: String?

    @Option(help: "The algorithm: 1 or 2.")
    var algorithm = GroupingVersion.current.rawValue

    @Flag(help: "Print one JSON object.")
    var json = false

    func run() async throws {
        try await runCommand {
            let bytes = try read(event)
            let parsed: Event
            do {
                parsed = try EventPipeline.parse(bytes[...])
            } catch {
                throw SettingsError(description: "\(event) does not contain an event: \(error)")
            }
            var settings = GroupingSettings()
            guard let version = GroupingVersion(rawValue: algorithm) else {
                throw SettingsError(description: "unknown algorithm \(algorithm)")
            }
            settings.version = version
            do {
                settings.rules = try GroupingRules(
                    fingerprints: fingerprintRules.map { String(decoding: try read($0), as: UTF8.self) } ?? "",
                    stacks: stackRules.map { String(decoding: try read($0), as: UTF8.self) } ?? ""
                )
            } catch let error as GroupingRules.SyntaxError {
                throw SettingsError(description: error.description)
            }
            let explanation = GroupingExplanation(parsed, settings)
            if json {
                print(explanation.json.text)
                return
            }
            if let rule = explanation.rule { print("fingerprint rule: \(Self.plain(rule))") }
            for variant in explanation.variants {
                print("\(variant.hash.variant) \(hexString(variant.hash.hash))")
                show(variant.component, indent: 1)
            }
        }
    }

    private func read(_ path: String) throws -> [UInt8] {
        let data =
            path == "-" ? FileHandle.standardInput.readDataToEndOfFile() : FileManager.default.contents(atPath: path)
        guard let data else { throw SettingsError(description: "\(path) cannot be read") }
        return Array(data)
    }

    private func show(_ component: GroupingComponent, indent: Int) {
        let space = String(repeating: "  ", count: indent)
        switch component {
        case .value(let name, let text, let contributes, let hint):
            let reason = contributes ? "" : "  (\(hint ?? "does not count"))"
            print("\(space)\(contributes ? "+" : "-") \(name): \(Self.plain(text))\(reason)")
        case .group(let name, let contributes, let hint, let children):
            print(
                "\(space)\(contributes && component.contributes ? "+" : "-") \(name)\(hint.map { "  (\($0))" } ?? "")"
            )
            // The depth is limited, because this program builds the tree of components.
            for child in children { show(child, indent: indent + 1) }
        }
    }

    /// The text of an event without characters that a terminal may interpret as a command.
    private static func plain(_ text: String) -> String {
        String(
            String.UnicodeScalarView(
                text.prefix(300).unicodeScalars
                    .map { $0.value < 0x20 || $0.value == 0x7F || (0x80...0x9F).contains($0.value) ? " " : $0 }
            )
        )
    }
}
