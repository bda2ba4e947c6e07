import Foundation
import Synchronization
import WhorlProtocol

/// Sends events in the background, one at a time, within the rate limits of the server.
///
/// The queue is bounded. A rate limit in any response is in effect until it expires.
/// Events that are dropped because of a rate limit, a full queue or an unreachable server are counted.
/// A client report with a later event sends the counts to the server.
final class Sender: Sendable {
    /// Builds an event in the background; returns nil when the event is to be dropped.
    typealias Job = @Sendable () async -> (id: EventID, event: JSON)?

    private let dsn: DSN
    private let options: Options
    private let transport: any Transport
    private let state = Mutex(State())
    private let jobs: AsyncStream<Job>
    private let queue: AsyncStream<Job>.Continuation

    private struct State {
        var waiting = 0
        var limits = ActiveLimits()
        var dropped: [Drop: Int] = [:]
        var idleWaiters: [(id: Int, continuation: CheckedContinuation<Bool, Never>)] = []
        var nextWaiter = 0
    }

    private struct Drop: Hashable {
        let reason: String
        let category: String
    }

    init(dsn: DSN, options: Options) {
        self.dsn = dsn
        self.options = options
        transport = options.transport ?? URLSessionTransport()
        (jobs, queue) = AsyncStream.makeStream(bufferingPolicy: .unbounded)
        // The task runs as long as the sender exists. It is detached, so that the application does not have to run it.
        Task.detached(priority: .utility) { [weak self, jobs] in
            for await job in jobs { await self?.perform(job) }
        }
    }

    deinit { queue.finish() }

    /// Adds an event to the queue if the queue is not full and no rate limit forbids the event.
    func enqueue(_ job: @escaping Job) -> Bool {
        let accepted = state.withLock { state in
            if state.limits.forbids("error", at: .now) {
                state.dropped[Drop(reason: "ratelimit_backoff", category: "error"), default: 0] += 1
                return false
            }
            guard state.waiting < options.queueEvents else {
                state.dropped[Drop(reason: "queue_overflow", category: "error"), default: 0] += 1
                return false
            }
            state.waiting += 1
            return true
        }
        if accepted { queue.yield(job) }
        return accepted
    }

    /// Waits until the queue is empty; returns false on a timeout.
    func flush(timeout: Duration) async -> Bool {
        let id = state.withLock { state in
            state.nextWaiter += 1
            return state.nextWaiter
        }
        return await withCheckedContinuation { continuation in
            let isIdle = state.withLock { state in
                if state.waiting == 0 { return true }
                state.idleWaiters.append((id, continuation))
                return false
            }
            guard !isIdle else {
                continuation.resume(returning: true)
                return
            }
            // The timeout starts after the waiter is registered. It has no effect when the queue is empty earlier.
            Task { [weak self] in
                try? await Task.sleep(for: timeout)
                self?.endWait(id, false)
            }
        }
    }

    private func endWait(_ id: Int, _ result: Bool) {
        let waiter = state.withLock { state in
            state.idleWaiters.firstIndex { $0.id == id }.map { state.idleWaiters.remove(at: $0) }
        }
        waiter?.continuation.resume(returning: result)
    }

    // MARK: - Background work

    private func perform(_ job: Job) async {
        if let (id, event) = await job() {
            await send(id, event)
        } else {
            drop("before_send")
        }
        let waiters = state.withLock { state in
            state.waiting -= 1
            guard state.waiting == 0 else { return [CheckedContinuation<Bool, Never>]() }
            defer { state.idleWaiters = [] }
            return state.idleWaiters.map(\.continuation)
        }
        for waiter in waiters { waiter.resume(returning: true) }
    }

    private func send(_ id: EventID, _ event: JSON) async {
        if state.withLock({ $0.limits.forbids("error", at: .now) }) {
            drop("ratelimit_backoff")
            return
        }
        let drops = state.withLock { state in
            defer { state.dropped = [:] }
            return state.dropped
        }
        let request = TransportRequest(
            url: dsn.envelopeURL,
            headers: [
                "Content-Type": "application/x-sentry-envelope", "User-Agent": Self.client,
                "X-Sentry-Auth": "Sentry sentry_key=\(dsn.publicKey), sentry_version=7, sentry_client=\(Self.client)",
            ],
            body: envelope(id, event, drops),
            timeout: options.requestTimeout
        )
        do {
            let answer = try await transport.send(request)
            state.withLock { $0.limits.note(answer, at: .now) }
            if (200..<300).contains(answer.status) { return }
            restore(drops)
            // The server itself counts the events that it rejects with 429.
            if answer.status != 429 { drop("send_error") }
        } catch {
            restore(drops)
            drop("network_error")
        }
    }

    private static let client = "\(Client.sdkName)/\(Client.sdkVersion)"

    private func envelope(_ id: EventID, _ event: JSON, _ drops: [Drop: Int]) -> [UInt8] {
        let header: JSON = [
            "event_id": .string(id.hex), "sent_at": .string(Timestamp.format(Date())),
            "sdk": ["name": .string(Client.sdkName), "version": .string(Client.sdkVersion)],
        ]
        var bytes = header.encoded() + [0x0A]
        func add(_ type: String, _ payload: [UInt8]) {
            let item: JSON = ["type": .string(type), "length": .int(payload.count)]
            bytes += item.encoded() + [0x0A] + payload + [0x0A]
        }
        add("event", event.encoded())
        if !drops.isEmpty {
            let list = drops.map { drop, count -> JSON in
                ["reason": .string(drop.reason), "category": .string(drop.category), "quantity": .int(count)]
            }
            let report: JSON = [
                "timestamp": .string(Timestamp.format(Date())), "discarded_events": .array(list),
            ]
            add("client_report", report.encoded())
        }
        return bytes
    }

    private func drop(_ reason: String) {
        state.withLock { $0.dropped[Drop(reason: reason, category: "error"), default: 0] += 1 }
    }

    private func restore(_ drops: [Drop: Int]) {
        state.withLock { state in
            for (drop, count) in drops { state.dropped[drop, default: 0] += count }
        }
    }
}
