import WhorlStore

/// The objects that are created at start if they do not exist.
struct BootstrapSettings {
    let organization: String?
    let project: String?
    let key: String?
    let token: String?

    /// Whether any setting is given; the default organisation and project are then not created.
    var isSet: Bool { organization != nil || project != nil || key != nil || token != nil }

    init(_ source: SettingSource) throws {
        func slug(_ setting: Setting) throws -> String? {
            guard let text = source.value(setting) else { return nil }
            guard Slug.isValid(text) else { throw SettingsError(setting, value: text) }
            return text
        }
        organization = try slug(.bootstrapOrganization)
        project = try slug(.bootstrapProject)
        key = try source.secret(.bootstrapKey)
        if let key, !Self.isKey(key) {
            throw SettingsError(
                description:
                    "WHORL_BOOTSTRAP_KEY is \"\(key.prefix(80))\"; allowed: 32 lower-case hexadecimal digits"
            )
        }
        token = try source.secret(.bootstrapToken)
        if let token, !Self.isToken(token) {
            throw SettingsError(
                description: "WHORL_BOOTSTRAP_TOKEN has a value that is not allowed; allowed: 32 to 128 letters, "
                    + "digits, '_' and '-'"
            )
        }
    }

    private static func isKey(_ text: String) -> Bool {
        text.utf8.count == 32 && text.allSatisfy { $0.isASCII && $0.isHexDigit && !$0.isUppercase }
    }

    private static func isToken(_ text: String) -> Bool {
        (32...128).contains(text.utf8.count)
            && text.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_" || $0 == "-") }
    }
}
