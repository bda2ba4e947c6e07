import Foundation
import WhorlProcessing

/// The filters, scrubbing, limits and grouping of a project, stored in the database as JSON.
///
/// Missing members have their default values.
package struct ProjectSettings: Sendable, Equatable {
    package var filters = FilterSettings()
    package var scrubbing = ScrubSettings()
    package var quotas: [Quota] = []
    /// Origins from which browsers may send, such as `https://*.example.com`; `*` allows all.
    package var allowedOrigins = ["*"]
    /// Addresses and networks that may send; an empty list allows all.
    package var allowedAddresses: [String] = []
    package var grouping = ProjectGrouping()

    package init() {}

    /// Decodes settings; returns the defaults when the text cannot be decoded.
    package init(text: String) {
        self = (try? JSONDecoder().decode(Self.self, from: Data(text.utf8))) ?? Self()
    }

    /// The settings as JSON for the database.
    package var text: String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys]
        return (try? encoder.encode(self)).map { String(decoding: $0, as: UTF8.self) } ?? "{}"
    }
}

/// The number of items of some categories that a project may send within a time window.
package struct Quota: Sendable, Equatable, Codable {
    /// The supported window lengths.
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
    /// Sentry's names of categories; an empty list means all categories together.
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
        // Settings stored before categories were validated may contain any text, which must not become part of a key.
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
