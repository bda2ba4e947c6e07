/// Recognises crawlers and obsolete browsers by their `User-Agent` header.
enum UserAgent {
    /// Substrings of the user agents of crawlers.
    private static let crawlers = [
        "googlebot", "mediapartners-google", "adsbot-google", "feedfetcher-google", "bingbot", "bingpreview", "slurp",
        "baiduspider", "yandex.com/bots", "yandexbot", "duckduckbot", "applebot", "facebookexternalhit", "twitterbot",
        "linkedinbot", "slackbot", "telegrambot", "discordbot", "ahrefsbot", "semrushbot", "mj12bot", "dotbot",
        "petalbot", "bytespider", "gptbot", "claudebot", "ccbot", "sogou", "exabot", "ia_archiver", "crawler", "spider",
        "headlesschrome", "lighthouse", "pingdom", "uptimerobot", "chrome-lighthouse",
    ]

    static func isCrawler(_ agent: String) -> Bool {
        let agent = agent.prefix(512).lowercased()
        return crawlers.contains { agent.contains($0) }
    }

    /// Whether a browser is Internet Explorer, Opera before 15, Opera Mini before 8, Safari before 6, the stock browser
    /// of Android before 4 or Edge before 79.
    static func isLegacy(_ agent: String) -> Bool {
        let agent = String(agent.prefix(512))
        if agent.contains("MSIE ") || agent.contains("Trident/") { return true }
        if let version = version(after: "Edge/", in: agent), version < 79 { return true }
        if let version = version(after: "Opera Mini/", in: agent), version < 8 { return true }
        if agent.hasPrefix("Opera/") { return true }
        if let version = version(after: "OPR/", in: agent), version < 15 { return true }
        if agent.contains("Safari/"), !agent.contains("Chrome/"), !agent.contains("Android"), !agent.contains("Edg"),
            let version = version(after: "Version/", in: agent), version < 6
        {
            return true
        }
        if !agent.contains("Chrome/"), let version = version(after: "Android ", in: agent), version < 4 { return true }
        return false
    }

    private static func version(after name: String, in agent: String) -> Int? {
        guard let range = agent.firstRange(of: name) else { return nil }
        return Int(agent[range.upperBound...].prefix(4).prefix { $0.isASCII && $0.isNumber })
    }
}
