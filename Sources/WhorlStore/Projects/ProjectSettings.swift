import Foundation
import WhorlProcessing

/// Filters, scrubbing, limits and grouping of a project, as they lie in the database in JSON; what is absent has its default.
package struct ProjectSettings: Sendable, Equatable {
    package var filters = FilterSettings()
    package var scrubbing = ScrubSettings()
    package var quotas: [Quota] = []
    /// Origins of browsers that may send, as `https://*.example.com`; `*` alone lets everybody.
    package var allowedOrigins = ["*"]
    /// Addresses and networks that may send; empty lets everybody.
    package var allowedAddresses: [String] = []
    package var grouping = ProjectGrouping()

    package init() {}

    /// The settings of a text; of one that cannot be read, the defaults.
    package init(text: String) {
        self = (try? JSONDecoder().decode(Self.self, from: Data(text.utf8))) ?? Self()
    }

    /// The text for the database.
    package var text: String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys]
        return (try? encoder.encode(self)).map { String(decoding: $0, as: UTF8.self) } ?? "{}"
    }
}

/// How much of a category a project may send within a window of time.
package struct Quota: Sendable, Equatable, Codable {
    /// The lengths of windows that there are.
    package enum Window: String, Sendable, Codable, CaseIterable {
        case minute
        case hour
        case month
    }

    /// Sentry's names of the categories in which items are counted.
    package static let categories: Set<String> = [
        "default", "error", "transaction", "security", "attachment", "session", "profile", "profile_chunk", "replay",
        "monitor", "span", "feedback", "metric_bucket", "log_item", "trace_metric",
    ]

    package var window: Window
    package var count: Int
    /// Sentry's names of categories; empty for all together.
    package var categories: [String]

    package init(window: Window, count: Int, categories: [String] = []) {
        self.window = window
        self.count = count
        self.categories = categories
    }
}

extension ProjectSettings: Codable {
    private enum Keys: String, CodingKey {
        case filters, scrubbing, quotas, allowedOrigins, allowedAddresses, grouping
    }

    package init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: Keys.self)
        filters = try values.decodeIfPresent(FilterSettings.self, forKey: .filters) ?? .init()
        scrubbing = try values.decodeIfPresent(ScrubSettings.self, forKey: .scrubbing) ?? .init()
        // Settings from before categories were checked may hold any text; it must not become part of a key.
        quotas = (try values.decodeIfPresent([Quota].self, forKey: .quotas) ?? [])
            .compactMap { quota in
                let known = quota.categories.filter(Quota.categories.contains)
                guard quota.categories.isEmpty || !known.isEmpty else { return nil }
                return Quota(window: quota.window, count: quota.count, categories: known)
            }
        allowedOrigins = try values.decodeIfPresent([String].self, forKey: .allowedOrigins) ?? ["*"]
        allowedAddresses = try values.decodeIfPresent([String].self, forKey: .allowedAddresses) ?? []
        grouping = try values.decodeIfPresent(ProjectGrouping.self, forKey: .grouping) ?? .init()
    }

    package func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: Keys.self)
        try values.encode(filters, forKey: .filters)
        try values.encode(scrubbing, forKey: .scrubbing)
        try values.encode(quotas, forKey: .quotas)
        try values.encode(allowedOrigins, forKey: .allowedOrigins)
        try values.encode(allowedAddresses, forKey: .allowedAddresses)
        try values.encode(grouping, forKey: .grouping)
    }
}
