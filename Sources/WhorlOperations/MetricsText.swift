import DequeModule
import Foundation
import NIOCore
import WhorlTelemetry
import WhorlThreads

/// Renders the text of all metrics on a dedicated thread, at most one at a time; concurrent requests share a text.
///
/// Without a token anybody may request the metrics, so many requests must cost no more than one. A text is never older
/// than its request: a request that arrives while a text is rendered gets the next one. In the long run, rendering may
/// take a fifth of the time of one core; a few texts in a row are rendered without a pause.
actor MetricsText {
    /// The time that must pass per unit of rendering time, so that rendering takes at most a fifth of a core.
    private static let share = 5
    /// How much time rendering may be ahead of that share.
    private static let advance = Duration.seconds(1)
    /// The longest pause before rendering, however slow rendering is.
    private static let longestPause = Duration.seconds(5)

    private let thread = WorkThread(name: "metrics")
    private let registry: MetricsRegistry
    private let duration: Gauge
    /// The requests that wait for the next text in each format, besides the one that renders it.
    ///
    /// A format that no request renders is absent.
    private var readers: [ExpositionFormat: [CheckedContinuation<ByteBuffer, Never>]] = [:]
    private var isWriting = false
    /// Requests that wait to render further texts, in order.
    private var turns: Deque<CheckedContinuation<Void, Never>> = []
    /// The time at which rendering has used no more than its share.
    private var paidAt = ContinuousClock.now

    init(registry: MetricsRegistry) {
        self.registry = registry
        duration = registry.gauge("whorl_metrics_collect_duration_seconds", "Time that rendering the last scrape took.")
    }

    func text(_ format: ExpositionFormat) async -> ByteBuffer {
        if readers[format] != nil {
            return await withCheckedContinuation { readers[format]?.append($0) }
        }
        readers[format] = []
        if isWriting { await withCheckedContinuation { turns.append($0) } }
        isWriting = true
        await pause()
        // Requests from now on get the next text.
        let waiting = readers.removeValue(forKey: format) ?? []
        let text = await write(format)
        for reader in waiting { reader.resume(returning: text) }
        if let next = turns.popFirst() { next.resume() } else { isWriting = false }
        return text
    }

    /// Waits until rendering has used no more than its share.
    ///
    /// It sleeps on the thread, so that a cancelled request cannot shorten the pause.
    private func pause() async {
        let pause = min(ContinuousClock.now.duration(to: paidAt - Self.advance), Self.longestPause)
        if pause > .zero { await thread.run { Thread.sleep(forTimeInterval: pause.seconds) } }
    }

    private func write(_ format: ExpositionFormat) async -> ByteBuffer {
        let start = ContinuousClock.now
        let text = await thread.run { [registry] in ByteBuffer(string: registry.render(format)) }
        let spent = start.duration(to: .now)
        duration.set(spent.seconds)
        paidAt = max(paidAt, start) + spent * Self.share
        return text
    }
}
