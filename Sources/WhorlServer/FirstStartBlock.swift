/// What the first start tells: where to send events, and where to look at them.
struct FirstStartBlock {
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
                       (shown this once; `whorl token create` makes more)
            Issues     \(issues)

            Try it     python3 -c 'import sentry_sdk; sentry_sdk.init("\(dsn)"); 1/0'
            ────────────────────────────────────────────────────────────────────────

            """
    }

    /// Writes the block to standard output at once; `print` would keep it back where that is no terminal.
    ///
    /// A standard output that takes nothing stops nobody.
    func show() {
        LogWriter(descriptor: 1).write(text)
    }
}
