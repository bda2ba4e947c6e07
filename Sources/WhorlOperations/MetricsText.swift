import NIOCore
import WhorlTelemetry
import WhorlThreads

/// The text of all metrics, written on a thread of its own, at most one at a time, for everybody who asks meanwhile.
///
/// Anybody may ask where no token is set, so many askers must cost no more than one. A text is never older than the
/// question: whoever asks while one is being written gets the next. Writing takes at most a fifth of the time of one core.
actor MetricsText {
    /// How many times as long as it was written a text stays alone.
    private static let pause = 4
    /// The longest pause: what somebody waits at most before the writing begins.
    private static let maxPause = Duration.milliseconds(200)

    private let thread = WorkThread(name: "metrics")
    private let registry: MetricsRegistry
    private let duration: Gauge
    /// The next text in each form, until it begins to be written.
    private var next: [ExpositionFormat: Task<ByteBuffer, Never>] = [:]
    private var earliest = ContinuousClock.now

    init(registry: MetricsRegistry) {
        self.registry = registry
        duration = registry.gauge("whorl_metrics_collect_duration_seconds", "Time that the last scrape took to write.")
    }

    func text(_ format: ExpositionFormat) async -> ByteBuffer {
        if let next = next[format] { return await next.value }
        let task = Task { await write(format) }
        next[format] = task
        return await task.value
    }

    private func write(_ format: ExpositionFormat) async -> ByteBuffer {
        // Waits out the pause, also one that began meanwhile.
        while earliest > .now { try? await Task.sleep(until: earliest, clock: .continuous) }
        next[format] = nil
        // Others of another form wait for this one.
        earliest = .now + Self.maxPause
        let start = ContinuousClock.now
        let text = await thread.run { [registry] in ByteBuffer(string: registry.render(format)) }
        let spent = start.duration(to: .now)
        duration.set(spent.seconds)
        earliest = .now + min(spent * Self.pause, Self.maxPause)
        return text
    }
}
