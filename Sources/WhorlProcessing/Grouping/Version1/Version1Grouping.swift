import WhorlProtocol

/// The first algorithm: it stays as it was, for projects that are moving away from it.
struct Version1Grouping {
    let variants: [(variant: String, component: GroupingComponent)]

    init(_ event: Event) {
        for rule in [Version1ExceptionRule.variants, Version1ThreadRule.variants, Version1StacktraceRule.variants] {
            guard let found = rule(event), found.system.contributes else { continue }
            guard let app = found.app, app.contributes else {
                variants = [("system", found.system)]
                return
            }
            variants = app.leaves == found.system.leaves ? [("app", app)] : [("app", app), ("system", found.system)]
            return
        }
        if let message = Version1MessageRule.component(event) {
            variants = [("default", message)]
            return
        }
        let nothing = GroupingComponent.value(
            name: "fallback",
            text: "<nothing to group by>",
            contributes: true,
            hint: "the event has no exception, stack or message"
        )
        variants = [("fallback", nothing)]
    }
}

/// What an event is grouped by, once over the application's frames and once over all of them.
struct FirstVariants {
    /// Nil when no frame of the application counts.
    var app: GroupingComponent?
    var system: GroupingComponent
}
