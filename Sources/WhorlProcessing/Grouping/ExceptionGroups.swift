import WhorlProtocol

/// Selects the exceptions of an exception group that grouping uses (protocol facts, section 6.3).
enum ExceptionGroups {
    /// The exceptions that represent the event; a plain chain is returned unchanged.
    ///
    /// In a group, equal members count once, independent of their order.
    /// If all members are equal, the result is one member with its chain of causes.
    /// Otherwise it is the distinct members and the root.
    static func representatives(of exceptions: [ExceptionValue]) -> [ExceptionValue] {
        var byID: [Int: ExceptionValue] = [:]
        var children: [Int: [Int]] = [:]
        for exception in exceptions {
            guard let id = exception.mechanism?.exceptionID, byID.updateValue(exception, forKey: id) == nil else {
                return exceptions
            }
            if let parent = exception.mechanism?.parentID {
                guard parent != id else { return exceptions }
                children[parent, default: []].append(id)
            }
        }
        guard let root = byID[0], byID.values.contains(where: { $0.mechanism?.isGroup == true }) else {
            return exceptions
        }
        // Collects the members that are reachable from the root through groups only. The visited set prevents endless
        // loops on cycles.
        var members: [Int] = []
        var queue = [0]
        var visited: Set<Int> = [0]
        while let id = queue.popLast() {
            guard byID[id]?.mechanism?.isGroup == true else {
                if id != 0 { members.append(id) }
                continue
            }
            for child in children[id, default: []] where visited.insert(child).inserted { queue.append(child) }
        }
        guard !members.isEmpty else { return exceptions }
        var kinds: [(key: String, id: Int)] = []
        let messages = CleaningBudget.messages
        for id in members.sorted() {
            guard let exception = byID[id] else { continue }
            let key = identity(of: exception, messages)
            if !kinds.contains(where: { $0.key == key }) { kinds.append((key, id)) }
        }
        kinds.sort { $0.key < $1.key }
        if let only = kinds.first, kinds.count == 1 {
            return firstChildPath(from: only.id, children, byID)
        }
        return kinds.compactMap { byID[$0.id] } + [root]
    }

    /// The exception and its chain of causes, the deepest first; follows only the first cause of each exception.
    private static func firstChildPath(
        from id: Int,
        _ children: [Int: [Int]],
        _ byID: [Int: ExceptionValue]
    ) -> [ExceptionValue] {
        var path: [ExceptionValue] = []
        var next: Int? = id
        var visited: Set<Int> = []
        while let id = next, visited.insert(id).inserted, let exception = byID[id] {
            path.insert(exception, at: 0)
            next = children[id]?.min()
        }
        return path
    }

    private static func identity(of exception: ExceptionValue, _ messages: CleaningBudget) -> String {
        let frames = exception.stacktrace?.frames ?? []
        let places = frames.map { "\($0.module ?? $0.filename ?? ""):\($0.function ?? "")" }
        let value = frames.isEmpty ? exception.value ?? "" : ""
        let cleaned = messages.allows(value) ? MessageText.parameterised(value) : value
        return ([exception.type ?? "", cleaned] + places).joined(separator: "\u{0}")
    }
}
