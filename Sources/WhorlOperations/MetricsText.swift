import DequeModule
import Foundation
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
    /// Who gets the next text in each form, besides the one who writes it; a form without a writer is absent.
    private var readers: [ExpositionFormat: [CheckedContinuation<ByteBuffer, Never>]] = [:]
    private var isWriting = false
    /// Writers of further texts, in order.
    private var turns: Deque<CheckedContinuation<Void, Never>> = []
    /// When the time that writing took will have been a fifth.
    private var paidAt = ContinuousClock.now

    init(registry: MetricsRegistry) {
        self.registry = registry
        duration = registry.gauge("whorl_metrics_collect_duration_seconds", "Time that the last scrape took to write.")
    }

    func text(_ format: ExpositionFormat) async -> ByteBuffer {
        if readers[format] != nil {
            return await withCheckedContinuation { readers[format]?.append($0) }
        }
        readers[format] = []
        if isWriting { await withCheckedContinuation { turns.append($0) } }
        isWriting = true
        await pause()
        // Whoever asks from now on gets the next text.
        let waiting = readers.removeValue(forKey: format) ?? []
        let text = await write(format)
        for reader in waiting { reader.resume(returning: text) }
        if let next = turns.popFirst() { next.resume() } else { isWriting = false }
        return text
    }

    /// Waits until writing has cost no more than its share.
    ///
    /// On the thread, so that a reader that leaves cannot shorten the pause.
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
