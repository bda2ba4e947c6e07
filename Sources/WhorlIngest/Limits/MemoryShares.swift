/// The distribution of a byte budget: what each owner holds, and which requests wait for more.
///
/// A pure state machine. Four rules prevent one sender from starving another:
/// - An owner holds at most its share of the budget. Owners are the address of the client and the project. An owner
///   that holds at most half of its share may exceed it with one request, because the largest body must fit. Small and
///   large requests count separately: a body is small until its first mebibyte has arrived, and many started bodies
///   must not block each other.
/// - A part of the budget is reserved for small requests, so that large ones cannot use it up.
/// - Waiting small requests are served before large ones. Requests of the same kind are served in order of arrival.
/// - If no large body is held, the next one is granted regardless of the bytes in use, so that one request can always
///   proceed. The budget can thus be exceeded by one body.
package struct MemoryShares: Sendable {
    /// A party whose bytes count against a share of the budget.
    package enum Owner: Hashable, Sendable {
        case address(String)
        case project(Int)
        /// All senders whose key is not known yet, together.
        case unknown
    }

    /// Requests up to this size count as small.
    package static let smallBytes = 1 << 20
    /// Maximum number of waiting requests; further ones are refused.
    static let maxWaiters = 1_000

    struct Request: Sendable {
        let id: Int
        let bytes: Int
        /// The total bytes that the request holds once it is granted.
        let total: Int
        let owners: [Owner]

        var isSmall: Bool { total <= MemoryShares.smallBytes }
    }

    let capacity: Int
    /// Bytes reserved for small requests.
    let reservedForSmall: Int
    let share: Int
    private(set) var used = 0
    private var usedBySmall = 0
    private(set) var waiting: [Request] = []
    private var held: [Owner: Holding] = [:]

    /// The bytes that an owner holds, in total and in small requests.
    private struct Holding {
        var all = 0
        var small = 0
    }

    init(capacity: Int) {
        self.capacity = capacity
        reservedForSmall = capacity / 8
        share = capacity / 4
    }

    enum Answer: Equatable {
        case granted
        case waits
        case refused
    }

    /// Grants the request if its bytes are available; otherwise returns false and changes nothing.
    ///
    /// A request larger than the budget counts as the whole budget. After a grant, waiting requests may fit: call
    /// ``serve()``.
    mutating func tryAsk(_ request: Request) -> Bool {
        // Waiting requests come first: small ones before all others, large ones before large ones. A request that waits
        // only because of its own share blocks no other.
        let isBehind = waiting.contains { ($0.isSmall || !request.isSmall) && fitsShare($0) }
        guard !isBehind, fits(request) else { return false }
        grant(request)
        return true
    }

    /// Requests bytes, and enqueues the request if they are not available.
    mutating func ask(_ request: Request) -> Answer {
        if tryAsk(request) { return .granted }
        guard waiting.count < Self.maxWaiters else { return .refused }
        waiting.append(request)
        return .waits
    }

    /// Frees `bytes` of a request that held `total` bytes; returns the waiting requests that this grants.
    mutating func free(_ bytes: Int, of total: Int, _ owners: [Owner]) -> [Request] {
        used -= bytes
        usedBySmall += Self.smallPart(total - bytes) - Self.smallPart(total)
        for owner in owners {
            change(owner, from: total, to: total - bytes)
            if held[owner]?.all ?? 0 <= 0 { held[owner] = nil }
        }
        return serve()
    }

    /// Updates the counts of an owner for a request that held `before` bytes and now holds `after` bytes.
    private mutating func change(_ owner: Owner, from before: Int, to after: Int) {
        held[owner, default: Holding()].all += after - before
        held[owner, default: Holding()].small += Self.smallPart(after) - Self.smallPart(before)
    }

    private static func smallPart(_ total: Int) -> Int { total <= smallBytes ? total : 0 }
    private static func largePart(_ total: Int) -> Int { total <= smallBytes ? 0 : total }

    /// Removes a waiting request, and returns the requests that this grants; nil if the request was already granted.
    mutating func giveUp(_ id: Int) -> (request: Request, granted: [Request])? {
        guard let place = waiting.firstIndex(where: { $0.id == id }) else { return nil }
        let request = waiting.remove(at: place)
        return (request, serve())
    }

    /// Also counts a request that holds `bytes` bytes for `owner`; its bytes stay granted.
    mutating func add(_ owner: Owner, holding bytes: Int) { change(owner, from: 0, to: bytes) }

    /// Grants the waiting requests that fit now.
    mutating func serve() -> [Request] {
        guard !waiting.isEmpty else { return [] }
        var granted: Set<Int> = []
        var served: [Request] = []
        for small in [true, false] {
            for request in waiting where request.isSmall == small && !granted.contains(request.id) {
                guard fitsShare(request) else { continue }
                // The first request that does not fit blocks those behind it, so that it is not overtaken.
                guard fitsTotal(request) else { break }
                grant(request)
                granted.insert(request.id)
                served.append(request)
            }
        }
        if !granted.isEmpty { waiting.removeAll { granted.contains($0.id) } }
        return served
    }

    private func fits(_ request: Request) -> Bool { fitsTotal(request) && fitsShare(request) }

    private func fitsTotal(_ request: Request) -> Bool {
        let before = request.total - request.bytes
        if request.isSmall { return used + request.bytes <= capacity || used == before }
        let otherLarge = used - usedBySmall - Self.largePart(before)
        return used + request.bytes <= capacity - reservedForSmall || otherLarge == 0
    }

    private func fitsShare(_ request: Request) -> Bool {
        request.owners.allSatisfy { owner in
            let before = request.total - request.bytes
            let holding = held[owner] ?? Holding()
            let others =
                request.isSmall
                ? holding.small - Self.smallPart(before) : holding.all - holding.small - Self.largePart(before)
            return others <= share / 2 || others + request.total <= share
        }
    }

    private mutating func grant(_ request: Request) {
        used += request.bytes
        let before = request.total - request.bytes
        usedBySmall += Self.smallPart(request.total) - Self.smallPart(before)
        for owner in request.owners { change(owner, from: before, to: request.total) }
    }
}
