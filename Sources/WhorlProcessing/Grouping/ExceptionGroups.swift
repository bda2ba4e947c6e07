import WhorlProtocol

/// Which exceptions of an exception group stand for the whole (protocol facts, section 6.3).
enum ExceptionGroups {
    /// Leaves the plain chain as it is.
    ///
    /// In a group, equal members count once, in whatever order they came: one kind of member stands for the group
    /// alone, several stand beside the root.
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
        // Members reached from the root through groups only; a visited set keeps cycles from going round.
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

    /// The exception and, deepest first, the causes that it names itself.
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
