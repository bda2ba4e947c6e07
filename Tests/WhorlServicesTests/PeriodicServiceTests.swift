import Synchronization
import Testing
import WhorlServices

@Suite struct PeriodicServiceTests {
    @Test("A run that takes several intervals is followed by a whole interval, not by a burst")
    func slowWork() async {
        let interval = Duration.milliseconds(20)
        let runs = Mutex<[(start: ContinuousClock.Instant, end: ContinuousClock.Instant)]>([])
        let (done, finish) = AsyncStream<Void>.makeStream()
        let service = PeriodicService(every: interval, startsAtOnce: true) {
            let start = ContinuousClock.now
            // Slow only the first time.
            if runs.withLock(\.isEmpty) { try? await Task.sleep(for: interval * 5) }
            let count = runs.withLock { runs in
                runs.append((start, .now))
                return runs.count
            }
            if count == 4 { finish.finish() }
        }
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await service.run() }
            for await _ in done {}
            group.cancelAll()
        }
        let seen = runs.withLock { $0 }
        for (earlier, later) in zip(seen, seen.dropFirst()) { #expect(later.start - earlier.end >= interval) }
    }

    @Test("It ends when its task is cancelled")
    func cancelled() async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await PeriodicService(every: .seconds(3_600)) {}.run() }
            group.cancelAll()
        }
    }
}
