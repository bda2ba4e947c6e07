import Synchronization

/// Bounds the requests of one token that are answered at once, so that a script leaves connections and time to others.
///
/// Requests over the bound wait in order; more than so many waiting are refused.
final class TokenGate: Sendable {
    /// Requests of a token that are answered at once.
    static let running = 2
    /// Requests of a token that wait.
    static let waiting = 16

    private struct Line {
        var running = 0
        var waiting: [CheckedContinuation<Bool, Never>] = []
    }

    /// By the token's id; a line goes with its last request.
    private let lines = Mutex<[Int: Line]>([:])

    /// Runs the body when it is the request's turn; throws ``APIError`` when too many wait.
    func run<Value>(_ token: Int, _ body: () async throws -> Value) async throws -> Value {
        try await enter(token)
        defer { leave(token) }
        return try await body()
    }

    private func enter(_ token: Int) async throws {
        let isLetIn = await withCheckedContinuation { (turn: CheckedContinuation<Bool, Never>) in
            let decided = lines.withLock { lines -> Bool? in
                var line = lines[token] ?? Line()
                if line.running < Self.running {
                    line.running += 1
                    lines[token] = line
                    return true
                }
                guard line.waiting.count < Self.waiting else { return false }
                line.waiting.append(turn)
                lines[token] = line
                return nil
            }
            if let decided { turn.resume(returning: decided) }
        }
        if !isLetIn { throw Self.refusal }
    }

    private static let refusal = APIError(
        status: .tooManyRequests,
        detail: "Too many requests of this token at once",
        headers: [.retryAfter: "1"]
    )

    private func leave(_ token: Int) {
        let next = lines.withLock { lines -> CheckedContinuation<Bool, Never>? in
            guard var line = lines[token] else { return nil }
            if line.waiting.isEmpty {
                line.running -= 1
                lines[token] = line.running > 0 ? line : nil
                return nil
            }
            // The place goes to the next one.
            let next = line.waiting.removeFirst()
            lines[token] = line
            return next
        }
        next?.resume(returning: true)
    }
}
