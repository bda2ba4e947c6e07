import WhorlProtocol

/// The first version of the algorithm, which stays unchanged for projects in a transition to a newer version.
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

/// The components of an event: one over the in-app frames and one over all frames.
struct Version1Variants {
    /// The component over the in-app frames; nil when no in-app frame contributes.
    var app: GroupingComponent?
    var system: GroupingComponent
}
