/// The text that the first start prints: where to send events, and where to view them.
struct FirstStartMessage {
    let text: String

    init(_ first: Bootstrap.FirstStart, publicURL: String, isListening: Bool) {
        let state = isListening ? "Whorl is ready." : "Whorl is set up, but could not listen: see the error below."
        let dsn = dsnText(publicURL: publicURL, publicKey: first.publicKey, projectID: first.project.id)
        let issues = "\(publicURL)/api/0/projects/\(first.organization)/\(first.project.slug)/issues/"
        text = """

            ────────────────────────────────────────────────────────────────────────
            \(state)

            DSN        \(dsn)
            API token  \(first.token)
                       (shown only once; `whorl token create` creates another)
            Issues     \(issues)

            Try it     python3 -c 'import sentry_sdk; sentry_sdk.init("\(dsn)"); 1/0'
            ────────────────────────────────────────────────────────────────────────

            """
    }

    /// Writes the block to standard output immediately; `print` would buffer it if standard output is not a terminal.
    ///
    /// The caller does not wait, even if nothing reads standard output.
    func show() {
        LogWriter(descriptor: 1).write(text)
    }
}
