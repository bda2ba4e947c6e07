import WhorlProcessing

/// Decides when queued events are stored, and in which batch: a pure state machine.
///
/// A batch starts when a writer is free and either the batch is full or the first event has waited for the linger time.
/// The queue is bounded in events and bytes, in total and per project. Projects are served in turn.
struct BatchQueue<Payload: Sendable>: Sendable {
    /// A queued event.
    struct Entry: Sendable {
        let key: EventKey
        /// The size of the compressed payload.
        let bytes: Int
        let since: ContinuousClock.Instant
        let payload: Payload
    }

    /// An input of the state machine.
    enum Event: Sendable {
        case submitted(Entry)
        case lingerEnded
        case queueTimeEnded
        /// A batch of this many events was committed.
        case stored(Int)
        /// A batch of this many events missed its deadline.
        case missedDeadline(Int)
        /// A batch ended and its writer is free again.
        case batchEnded
        case stopped
    }

    /// An action for the writer.
    enum Action: Sendable {
        /// Store these events in one batch.
        case store([Entry])
        /// Report ``Event/lingerEnded`` at this time.
        case startLinger(until: ContinuousClock.Instant)
        /// Report ``Event/queueTimeEnded`` at this time.
        case startQueueTimer(until: ContinuousClock.Instant)
        /// Reject the event because the queue is full.
        case refuse(Entry)
        /// Reject the event because the writer is stopping.
        case refuseStopping(Entry)
        /// Reject these events because no writer was free in time.
        case giveUp([Entry])
        /// End the writer: nothing is queued or being stored, and no event will be accepted.
        case finish
    }

    private let configuration: EventWriter.Configuration
    private var queue = FairQueue<Int, Entry>()
    /// The number of batches that are being stored.
    private var inFlight = 0
    private var isLingering = false
    private var isQueueTimerRunning = false
    private var isStopping = false
    private var size: BatchSize

    init(_ configuration: EventWriter.Configuration) {
        self.configuration = configuration
        size = BatchSize(maximum: configuration.batchEvents)
    }

    /// The number of queued events.
    var count: Int { queue.count }

    mutating func handle(_ event: Event, at now: ContinuousClock.Instant) -> [Action] {
        switch event {
        case .submitted(let entry):
            if isStopping { return [.refuseStopping(entry)] }
            guard hasRoom(for: entry) else { return [.refuse(entry)] }
            queue.append(entry, of: entry.key.projectID, weight: entry.bytes)
            return start() + watch()
        case .lingerEnded:
            isLingering = false
            return isWriterFree && !queue.isEmpty ? [batch()] : []
        case .queueTimeEnded:
            isQueueTimerRunning = false
            let limit = now - EventWriter.maxQueueTime
            let late = queue.removeAll { $0.since <= limit }
            return (late.isEmpty ? [] : [.giveUp(late)]) + watch() + finishIfDone()
        case .stored(let count):
            size.stored(count)
            return []
        case .missedDeadline(let count):
            size.missedDeadline(count)
            return []
        case .batchEnded:
            inFlight -= 1
            return start() + finishIfDone()
        case .stopped:
            isStopping = true
            return finishIfDone()
        }
    }

    private var isWriterFree: Bool { inFlight < configuration.writers }

    /// Whether an event can be queued.
    ///
    /// An eighth of the queue is reserved for projects that occupy less than half of it.
    private func hasRoom(for entry: Entry) -> Bool {
        let own = queue.load(of: entry.key.projectID)
        let isSmall = own.count < configuration.queueEvents / 2 && own.weight < configuration.queueBytes / 2
        let events = configuration.queueEvents - (isSmall ? 0 : configuration.queueEvents / 8)
        let bytes = configuration.queueBytes - (isSmall ? 0 : configuration.queueBytes / 8)
        return queue.count < events && queue.weight + entry.bytes <= bytes
    }

    /// Starts a batch when one is full; otherwise starts the linger time.
    private mutating func start() -> [Action] {
        guard isWriterFree, !queue.isEmpty else { return [] }
        if queue.count >= size.events || queue.weight >= configuration.batchBytes { return [batch()] }
        guard !isLingering, let oldest else { return [] }
        isLingering = true
        return [.startLinger(until: oldest + configuration.linger)]
    }

    /// Starts the timer after which the oldest event is rejected.
    private mutating func watch() -> [Action] {
        guard !isQueueTimerRunning, let oldest else { return [] }
        isQueueTimerRunning = true
        return [.startQueueTimer(until: oldest + EventWriter.maxQueueTime)]
    }

    private func finishIfDone() -> [Action] { isStopping && queue.isEmpty && inFlight == 0 ? [.finish] : [] }

    private var oldest: ContinuousClock.Instant? { queue.heads.map(\.since).min() }

    private mutating func batch() -> Action {
        var bytes = 0
        var keys: Set<EventKey> = []
        var batch: [Entry] = []
        var later: [Entry] = []
        while batch.count < size.events, bytes < configuration.batchBytes, let entry = queue.popFirst() {
            // One statement cannot insert a key twice. So a second event with the same id goes to the end of the queue
            // and is stored by a later batch.
            if keys.insert(entry.key).inserted {
                bytes += entry.bytes
                batch.append(entry)
            } else {
                later.append(entry)
            }
        }
        for entry in later { queue.append(entry, of: entry.key.projectID, weight: entry.bytes) }
        inFlight += 1
        return .store(batch)
    }
}
