import NIOCore
import WhorlTelemetry
import WhorlThreads

/// The text of all metrics, written on a thread of its own, at most one at a time, for everybody who asks meanwhile.
///
/// Anybody may ask where no token is set, so many askers must cost no more than one. A text is never older than the
/// question: whoever asks while one is being written gets the next. Writing may take a fifth of the time of one core in
/// the long run; a few texts in a row need not wait.
actor MetricsText {
    /// How many times as long as it took to write a text has to pass until writing has cost a fifth of a core.
    private static let share = 5
    /// How far writing may be ahead of that.
    private static let advance = Duration.seconds(1)
    /// What somebody waits at most for that, however slow writing is.
    private static let longestPause = Duration.seconds(5)

    private let thread = WorkThread(name: "metrics")
    private let registry: MetricsRegistry
    private let duration: Gauge
    /// The next text in each form, until it begins to be written.
    private var next: [ExpositionFormat: Task<ByteBuffer, Never>] = [:]
    /// The text that was asked for last: each waits for the one before it.
    private var last: Task<ByteBuffer, Never>?
    /// When the time that writing took will have been a fifth.
    private var paidAt = ContinuousClock.now

    init(registry: MetricsRegistry) {
        self.registry = registry
        duration = registry.gauge("whorl_metrics_collect_duration_seconds", "Time that the last scrape took to write.")
    }

    func text(_ format: ExpositionFormat) async -> ByteBuffer {
        if let next = next[format] { return await next.value }
        let task = Task { [last] in
            _ = await last?.value
            return await write(format)
        }
        next[format] = task
        last = task
        return await task.value
    }

    private func write(_ format: ExpositionFormat) async -> ByteBuffer {
        let due = min(paidAt - Self.advance, .now + Self.longestPause)
        if due > .now { try? await Task.sleep(until: due, clock: .continuous) }
        next[format] = nil
        let start = ContinuousClock.now
        let text = await thread.run { [registry] in ByteBuffer(string: registry.render(format)) }
        let spent = start.duration(to: .now)
        duration.set(spent.seconds)
        paidAt = max(paidAt, start) + spent * Self.share
        return text
    }
}
