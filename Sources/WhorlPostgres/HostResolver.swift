import Foundation
import Glibc
import Synchronization
import WhorlThreads

/// Resolves host names with a deadline, because `getaddrinfo` has none and may block for half a minute.
///
/// Each look-up runs on its own thread. Concurrent requests for a name share one look-up. The number of concurrent
/// look-ups is bounded.
package final class HostResolver: Sendable {
    /// The resolver of this process.
    package static let system = HostResolver(lookup: HostResolver.addresses)

    /// The maximum number of concurrent look-ups; further ones are rejected.
    private static let maxLookups = 8

    private struct Waiter {
        let id: Int
        let answer: CheckedContinuation<Result<[String], PostgresError>, Never>
    }

    private struct State {
        var waiters: [String: [Waiter]] = [:]
        var next = 0
    }

    private let state = Mutex(State())
    private let lookup: @Sendable (String) -> [String]

    /// Makes a resolver that calls the function, which may block.
    package init(lookup: @escaping @Sendable (String) -> [String]) { self.lookup = lookup }

    /// The addresses of a name; throws when there are none or the deadline passes first.
    package func resolve(_ name: String, deadline: ContinuousClock.Instant) async throws -> [String] {
        let id = state.withLock { state in
            state.next += 1
            return state.next
        }
        let answer = await withTimeout(ContinuousClock.now.duration(to: deadline)) {
            self.giveUp(id, name)
        } register: {
            start(Waiter(id: id, answer: $0), name)
        }
        let addresses = try answer.get()
        guard !addresses.isEmpty else { throw PostgresError(.connection, "the host name cannot be resolved") }
        return addresses
    }

    private func start(_ waiter: Waiter, _ name: String) {
        enum Step { case wait, lookUp, refuse }
        let step = state.withLock { state -> Step in
            if state.waiters[name] != nil {
                state.waiters[name]?.append(waiter)
                return .wait
            }
            guard state.waiters.count < Self.maxLookups else { return .refuse }
            state.waiters[name] = [waiter]
            return .lookUp
        }
        switch step {
        case .wait: break
        case .refuse:
            waiter.answer.resume(
                returning: .failure(PostgresError(.connection, "too many host names are being resolved"))
            )
        case .lookUp:
            Thread.detachNewThread { [self] in
                let addresses = lookup(name)
                let waiting = state.withLock { $0.waiters.removeValue(forKey: name) } ?? []
                for waiter in waiting { waiter.answer.resume(returning: .success(addresses)) }
            }
        }
    }

    private func giveUp(_ id: Int, _ name: String) {
        let waiter = state.withLock { state in
            state.waiters[name]?.firstIndex { $0.id == id }.flatMap { state.waiters[name]?.remove(at: $0) }
        }
        waiter?.answer
            .resume(
                returning: .failure(PostgresError(.deadline, "the host name was not resolved in time"))
            )
    }

    /// Resolves the name with the system's resolver, which sorts the addresses by preference.
    private static func addresses(of name: String) -> [String] {
        var hints = addrinfo()
        hints.ai_family = AF_UNSPEC
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var first: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(name, nil, &hints, &first) == 0 else { return [] }
        defer { freeaddrinfo(first) }
        var result: [String] = []
        var next = first
        while let info = next, result.count < 16 {
            var text = [CChar](repeating: 0, count: Int(NI_MAXHOST))
            let status = getnameinfo(
                info.pointee.ai_addr,
                info.pointee.ai_addrlen,
                &text,
                socklen_t(text.count),
                nil,
                0,
                NI_NUMERICHOST
            )
            if status == 0 {
                result.append(String(decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self))
            }
            next = info.pointee.ai_next
        }
        return result
    }
}
