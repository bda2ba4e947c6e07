import Synchronization
import WhorlTelemetry
import WhorlThreads

/// A limit on the bytes that one kind of data, such as request bodies, takes in all requests together.
///
/// Requests that do not fit wait in the order of ``MemoryShares``. A request that waits too long, or behind too many
/// others, is refused. So memory use stays bounded under any load.
package final class MemoryBudget: Sendable {
    private struct State {
        var shares: MemoryShares
        var answers: [Int: CheckedContinuation<Bool, Never>] = [:]
        var next = 0

        /// Removes and returns the continuations of granted requests.
        mutating func takeAnswers(of granted: [MemoryShares.Request]) -> [Continuation] {
            granted.compactMap { answers.removeValue(forKey: $0.id) }
        }
    }

    fileprivate let capacity: Int
    private let maxWait: Duration
    private let state: Mutex<State>
    private let refused: Counter

    /// Creates a budget of `bytes` bytes.
    ///
    /// A request waits no longer than `maxWait`; `refused` counts the refused requests.
    package init(bytes: Int, maxWait: Duration = .seconds(5), refused: Counter = Counter()) {
        self.maxWait = maxWait
        self.refused = refused
        capacity = bytes
        state = Mutex(State(shares: MemoryShares(capacity: bytes)))
    }

    /// The number of waiting requests.
    package var waiting: Int { state.withLock(\.answers.count) }

    /// Whether more than half of the budget is in use.
    package var isHalfUsed: Bool { used > capacity / 2 }

    /// Bytes in use.
    package var used: Int { state.withLock(\.shares.used) }

    /// Creates an empty reservation.
    package func reservation(for owners: [MemoryShares.Owner]) -> MemoryReservation { MemoryReservation(self, owners) }

    /// Runs `work` while `bytes` bytes are reserved, and releases them afterwards.
    ///
    /// Waits until they are available. Returns nil, without running `work`, if they do not become available in time.
    func withReservation<Value: Sendable, Failure: Error>(
        _ bytes: Int,
        for owners: [MemoryShares.Owner],
        _ work: (MemoryReservation) async throws(Failure) -> Value
    ) async throws(Failure) -> Value? {
        let reservation = reservation(for: owners)
        guard await reservation.grow(to: bytes) else { return nil }
        defer { reservation.release() }
        return try await work(reservation)
    }

    /// Reserves `bytes` bytes, and waits until they are available; nil if they do not become available in time.
    package func reserve(_ bytes: Int, for owners: [MemoryShares.Owner]) async -> MemoryReservation? {
        let reservation = reservation(for: owners)
        return await reservation.grow(to: bytes) ? reservation : nil
    }

    fileprivate func tryTake(_ bytes: Int, total: Int, _ owners: [MemoryShares.Owner]) -> Bool {
        let (isGranted, answers) = state.withLock { state -> (Bool, [Continuation]) in
            state.next += 1
            let isGranted = state.shares.tryAsk(request(state.next, bytes, total, owners))
            return (isGranted, isGranted ? state.takeAnswers(of: state.shares.serve()) : [])
        }
        for answer in answers { answer.resume(returning: true) }
        return isGranted
    }

    fileprivate func add(_ owner: MemoryShares.Owner, holding bytes: Int) {
        state.withLock { $0.shares.add(owner, holding: bytes) }
    }

    fileprivate func take(_ bytes: Int, total: Int, _ owners: [MemoryShares.Owner]) async -> Bool {
        if tryTake(bytes, total: total, owners) { return true }
        let id = state.withLock { state in
            state.next += 1
            return state.next
        }
        let isGranted = await withTimeout(maxWait) {
            self.giveUp(id)
        } register: { answer in
            let (decided, others) = state.withLock { state -> (Bool?, [Continuation]) in
                switch state.shares.ask(request(id, bytes, total, owners)) {
                case .granted: return (true, state.takeAnswers(of: state.shares.serve()))
                case .refused: return (false, [])
                case .waits:
                    state.answers[id] = answer
                    return (nil, [])
                }
            }
            for other in others { other.resume(returning: true) }
            if let decided { answer.resume(returning: decided) }
        }
        if !isGranted { refused.increment() }
        return isGranted
    }

    private func request(
        _ id: Int,
        _ bytes: Int,
        _ total: Int,
        _ owners: [MemoryShares.Owner]
    ) -> MemoryShares.Request {
        let before = total - bytes
        let total = min(total, capacity)
        return .init(id: id, bytes: max(total - before, 0), total: total, owners: owners)
    }

    fileprivate func free(_ bytes: Int, of total: Int, _ owners: [MemoryShares.Owner]) {
        let answers = state.withLock { state in
            state.takeAnswers(of: state.shares.free(bytes, of: total, owners))
        }
        for answer in answers { answer.resume(returning: true) }
    }

    private func giveUp(_ id: Int) {
        let (late, answers) = state.withLock { state -> (Continuation?, [Continuation]) in
            guard let (_, granted) = state.shares.giveUp(id) else { return (nil, []) }
            return (state.answers.removeValue(forKey: id), state.takeAnswers(of: granted))
        }
        late?.resume(returning: false)
        for answer in answers { answer.resume(returning: true) }
    }

    fileprivate typealias Continuation = CheckedContinuation<Bool, Never>
}

/// The bytes of a budget that a request holds; released explicitly or on deinitialization.
package final class MemoryReservation: Sendable {
    private let budget: MemoryBudget
    private let holding: Mutex<Holding>

    private struct Holding {
        var bytes = 0
        package var owners: [MemoryShares.Owner]
    }

    fileprivate init(_ budget: MemoryBudget, _ owners: [MemoryShares.Owner]) {
        self.budget = budget
        holding = Mutex(Holding(owners: owners))
    }

    deinit { release() }

    /// The reserved bytes.
    package var bytes: Int { holding.withLock(\.bytes) }

    /// The owners against whose shares the bytes count.
    package var owners: [MemoryShares.Owner] { holding.withLock(\.owners) }

    /// Also counts the reserved bytes against the share of `owner` from now on.
    package func add(_ owner: MemoryShares.Owner) {
        let bytes = holding.withLock { holding -> Int? in
            guard !holding.owners.contains(owner) else { return nil }
            holding.owners.append(owner)
            return holding.bytes
        }
        if let bytes { budget.add(owner, holding: bytes) }
    }

    /// Grows the reservation to `size` bytes if the missing bytes are available.
    ///
    /// Must not be called concurrently.
    package func tryGrow(to size: Int) -> Bool {
        let (before, owners) = holding.withLock { ($0.bytes, $0.owners) }
        guard size > before else { return true }
        guard budget.tryTake(size - before, total: size, owners) else { return false }
        holding.withLock { $0.bytes = max(min(size, budget.capacity), before) }
        return true
    }

    /// Grows the reservation to `size` bytes, and waits for the missing bytes; false if they do not become available in
    /// time.
    ///
    /// Must not be called concurrently.
    package func grow(to size: Int) async -> Bool {
        let (before, owners) = holding.withLock { ($0.bytes, $0.owners) }
        guard size > before else { return true }
        guard await budget.take(size - before, total: size, owners) else { return false }
        holding.withLock { $0.bytes = max(min(size, budget.capacity), before) }
        return true
    }

    /// Releases the bytes beyond `size`.
    package func shrink(to size: Int) {
        let (surplus, total, owners) = holding.withLock { holding in
            let total = holding.bytes
            holding.bytes = min(total, size)
            return (total - holding.bytes, total, holding.owners)
        }
        if surplus > 0 { budget.free(surplus, of: total, owners) }
    }

    /// Releases all bytes.
    package func release() { shrink(to: 0) }
}
