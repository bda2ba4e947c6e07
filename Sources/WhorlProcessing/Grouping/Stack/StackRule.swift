import WhorlProtocol

/// Grouping by the frames of a stack; each frame is analysed once for both variants.
struct StackRule {
    let frames: [FrameFacts]
    /// The keys of the contributing in-app frames.
    let own: [(place: Int, key: String)]
    /// The keys of all contributing frames.
    let all: [(place: Int, key: String)]
    private let ownRepeated: Set<Int>
    private let allRepeated: Set<Int>
    /// The maximum number of contributing frames, counted from the end; set by a rule of the project.
    private let limit: Int?

    init(_ stack: Stacktrace, _ event: Event, _ context: StackContext) {
        let eventFamily = PlatformFamily(event.platform)
        let frames = stack.frames.map { frame in
            let family = frame.platform.map(PlatformFamily.init) ?? eventFamily
            return FrameNames.facts(frame, family, event.names, context.names)
        }
        NoiseRule.mark(frames, context.version)
        context.rules?.apply(to: frames, context.meter)
        limit = context.rules?.maxFrames
        var own: [(place: Int, key: String)] = []
        var all: [(place: Int, key: String)] = []
        for (place, facts) in frames.enumerated() where facts.ignored == nil {
            let key = facts.key
            if key.isEmpty { continue }
            all.append((place, key))
            if facts.isOwn { own.append((place, key)) }
        }
        let ownRepeated = RecursionRule.repeated(own)
        let allRepeated = RecursionRule.repeated(all)
        own.removeAll { ownRepeated.contains($0.place) }
        all.removeAll { allRepeated.contains($0.place) }
        self.ownRepeated = ownRepeated
        self.allRepeated = allRepeated
        if let limit {
            own = Array(own.suffix(limit))
            all = Array(all.suffix(limit))
        }
        self.frames = frames
        self.own = own
        self.all = all
    }

    /// Whether any frame contributes.
    var contributes: Bool { !all.isEmpty }
    var hasOwn: Bool { !own.isEmpty }

    /// The grouping component of the stack in one variant, for the explanation.
    func component(ownOnly: Bool) -> GroupingComponent {
        let counted = Set((ownOnly ? own : all).map(\.place))
        let repeated = ownOnly ? ownRepeated : allRepeated
        let children = frames.enumerated()
            .map { place, facts -> GroupingComponent in
                if counted.contains(place) { return facts.component(ignored: nil) }
                if repeated.contains(place) { return facts.component(ignored: .recursion) }
                if ownOnly, !facts.isOwn { return facts.component(ignored: .library) }
                return facts.component(ignored: facts.key.isEmpty ? .address : .beyondLimit)
            }
        return .group(name: "stacktrace", contributes: !counted.isEmpty, hint: nil, children: children)
    }
}
