import Foundation
import Testing
import WhorlTestSupport

@testable import WhorlServer

@Suite struct SettingTests {
    @Test("README.md contains the table that is generated from the declared settings")
    func readme() throws {
        let text = try String(contentsOfFile: TestCollector.repository + "/README.md", encoding: .utf8)
        let rows = text.split(separator: "\n").filter { $0.hasPrefix("|") }.map(String.init)
        let declared = SettingHelp.markdown.split(separator: "\n").map(String.init)
        let missing = declared.filter { !rows.contains($0) }
        #expect(missing == [])
        let surplus = rows.filter { $0.hasPrefix("| `") && !declared.contains($0) }
        #expect(surplus == [])
    }

    @Test("Names and flags are unique, and secrets have no flag")
    func names() {
        #expect(Set(Setting.all.map(\.name)).count == Setting.all.count)
        #expect(Set(Setting.all.compactMap(\.flag)).count == Setting.all.count - Setting.all.count(where: \.isSecret))
        #expect(Setting.dataDirectory.flag == "--data-dir")
    }

    @Test("Every default is a valid value of its setting")
    func defaults() throws {
        let settings = try ServeSettings(SettingSource(environment: [:]))
        #expect(settings.port == 8_000)
        #expect(settings.limits.bodyBytes == 20 << 20)
        for setting in Setting.all {
            if case .integer(let range, _) = setting.kind {
                #expect(range.contains(try #require(Int(setting.fallback))), "\(setting.name)")
            }
        }
    }

    @Test("A number out of range or invalid number causes an error with name, value and range")
    func badNumbers() {
        for setting in Setting.all {
            guard case .integer(let range, _) = setting.kind else { continue }
            for value in ["\(range.lowerBound - 1)", "\(range.upperBound + 1)", "many", "1.5", " 5"] {
                let error = #expect(throws: SettingsError.self) {
                    try ServeSettings(SettingSource(environment: [setting.name: value]))
                }
                let text = error?.description ?? ""
                #expect(text.contains(setting.name) && text.contains("\"\(value)\""))
                #expect(text.contains("whole numbers from \(range.lowerBound) to \(range.upperBound)"))
            }
        }
    }

    @Test("Flags take precedence over variables; unknown flags and missing values are errors")
    func flags() throws {
        var source = SettingSource(environment: ["PORT": "1", "HOST": "::1"])
        try source.addFlags(["--port", "8123", "--log-level=debug"])
        let settings = try ServeSettings(source)
        #expect(settings.port == 8_123)
        #expect(settings.host == "::1")
        #expect(settings.log.level == "debug")
        #expect(throws: SettingsError.self) { try source.addFlags(["--prot", "1"]) }
        #expect(throws: SettingsError.self) { try source.addFlags(["--port"]) }
        #expect(throws: SettingsError.self) { try source.addFlags(["--database-url", "x"]) }
    }

    @Test("The help lists every setting with its default and allowed values")
    func help() {
        for setting in Setting.all {
            #expect(SettingHelp.text.contains(setting.name))
            #expect(SettingHelp.text.contains("default: \(setting.fallback)"))
            if let allowed = setting.allowed { #expect(SettingHelp.text.contains(allowed)) }
        }
    }
}
