import WhorlProcessing

/// Decides when waiting events are stored, and in which batch: a pure state machine.
///
/// A batch starts when a writer is free and the first event has waited for the linger time, or when it is full. The queue
/// is bounded in events and bytes, in all and for each project; projects take turns.
struct BatchQueue<Payload: Sendable>: Sendable {
    /// An event that waits to be stored.
    struct Entry: Sendable {
        let key: EventKey
        /// Size of the compressed payload.
        let bytes: Int
        let since: ContinuousClock.Instant
        let payload: Payload
    }

    /// Something that happens to the queue.
    enum Event: Sendable {
        case submitted(Entry)
        case lingerEnded
        case patienceEnded
        /// A batch of so many events was committed.
        case stored(Int)
        /// A batch of so many events took longer than it may.
        case missedDeadline(Int)
        /// A writer is free again.
        case batchEnded
        case stopped
    }

    /// What the writer has to do.
    enum Action: Sendable {
        /// Store these events in one batch.
        case store([Entry])
        /// Report ``Event/lingerEnded`` at this time.
        case startLinger(until: ContinuousClock.Instant)
        /// Report ``Event/patienceEnded`` at this time.
        case startPatience(until: ContinuousClock.Instant)
        /// Refuse the event: the queue is full.
        case refuse(Entry)
        /// Refuse the event: the writer stops.
        case refuseStopping(Entry)
        /// Refuse these events: no writer was free in time.
        case giveUp([Entry])
        /// Nothing waits and nothing is being stored; nothing will come.
        case finish
    }

    private let configuration: EventWriter.Configuration
    private var queue = FairQueue<Int, Entry>()
    /// Batches that are being stored.
    private var inFlight = 0
    private var isLingering = false
    private var isPatienceRunning = false
    private var isStopping = false
    private var size: BatchSize

    init(_ configuration: EventWriter.Configuration) {
        self.configuration = configuration
        size = BatchSize(maximum: configuration.batchEvents)
    }

    /// Events that wait.
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
        case .patienceEnded:
            isPatienceRunning = false
            let limit = now - EventWriter.queuePatience
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

    /// Whether an event may wait.
    ///
    /// An eighth of the queue is reserved for projects that hold less than half of it.
    private func hasRoom(for entry: Entry) -> Bool {
        let own = queue.load(of: entry.key.projectID)
        let isSmall = own.count < configuration.queueEvents / 2 && own.weight < configuration.queueBytes / 2
        let events = configuration.queueEvents - (isSmall ? 0 : configuration.queueEvents / 8)
        let bytes = configuration.queueBytes - (isSmall ? 0 : configuration.queueBytes / 8)
        return queue.count < events && queue.weight + entry.bytes <= bytes
    }

    /// Starts a batch when one is full, else the linger time.
    private mutating func start() -> [Action] {
        guard isWriterFree, let oldest else { return [] }
        if queue.count >= size.events || queue.weight >= configuration.batchBytes { return [batch()] }
        guard !isLingering else { return [] }
        isLingering = true
        return [.startLinger(until: oldest + configuration.linger)]
    }

    /// Starts the time after which the oldest event is given up.
    private mutating func watch() -> [Action] {
        guard !isPatienceRunning, let oldest else { return [] }
        isPatienceRunning = true
        return [.startPatience(until: oldest + EventWriter.queuePatience)]
    }

    private func finishIfDone() -> [Action] { isStopping && queue.isEmpty && inFlight == 0 ? [.finish] : [] }

    private var oldest: ContinuousClock.Instant? { queue.heads.map(\.since).min() }

    private mutating func batch() -> Action {
        var bytes = 0
        var keys: Set<EventKey> = []
        var batch: [Entry] = []
        var later: [Entry] = []
        while batch.count < size.events, bytes < configuration.batchBytes, let entry = queue.popFirst() {
            // One statement cannot insert one key twice: a second event with the same id waits for a later batch, behind
            // those that came after it.
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
