import WhorlProtocol

/// Derives tags from other members of an event, for filters and counts.
enum DerivedTags {
    static func tags(
        of event: Event,
        level: Level,
        environment: String?,
        release: String?,
        dist: String?,
        user: String?
    ) -> [Event.Tag] {
        var tags: [Event.Tag] = []
        func add(_ key: String, _ value: String?) {
            guard let value, !value.isEmpty, !value.utf8.contains(0x0A) else { return }
            tags.append(Event.Tag(key: key, value: value.prefix(bytes: 200)))
        }
        add("level", level.rawValue)
        add("environment", environment)
        add("release", release)
        add("dist", dist)
        add("user", user)
        add("logger", event.logger)
        add("transaction", event.transaction)
        add("server_name", event.serverName)
        add("site", event.site)
        add("url", event.request?.member("url")?.string.map { String($0.prefix { $0 != "?" && $0 != "#" }) })
        if let mechanism = event.exceptions.last?.mechanism {
            add("mechanism", mechanism.type)
            add("handled", mechanism.handled.map { $0 ? "yes" : "no" })
        }
        for name in ["runtime", "os", "browser"] as [StaticString] {
            guard let context = event.contexts?.member(name), let product = context.member("name")?.string else {
                continue
            }
            let version = context.member("version")?.string
            add(String(describing: name), version.map { "\(product) \($0)" } ?? product)
            add("\(name).name", product)
        }
        add("device", event.contexts?.member("device")?.member("model")?.string)
        return tags
    }
}

extension String {
    /// The longest prefix of whole characters with at most `limit` bytes of UTF-8.
    func prefix(bytes limit: Int) -> String {
        if utf8.count <= limit { return self }
        var end = startIndex
        var count = 0
        for index in indices {
            count += self[index].utf8.count
            if count > limit { break }
            end = self.index(after: index)
        }
        return String(self[..<end])
    }
}
