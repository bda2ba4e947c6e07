/// Who holds how much of a budget of bytes, and who waits for more.
///
/// A pure state machine. Three rules keep one sender from starving another:
/// - Nobody holds more than a share of the budget, counted for the client's address and for the project. A sender that
///   holds less than half of its share may exceed it with one request, since the largest body has to fit. For small
///   requests only the sender's other small ones count, for large ones only its large ones: a body is small until its
///   first mebibyte has come, and many that have begun must not keep each other from going on.
/// - A part of the budget is kept for small requests, so that large ones cannot use it up.
/// - Small requests that wait are served before large ones; among equals the first comes first.
/// - When nobody holds a large body, the next one is granted whatever is used, so that somebody always goes on. The budget
///   can thus be exceeded by one body.
package struct MemoryShares: Sendable {
    /// A sender, as far as shares are concerned.
    package enum Owner: Hashable, Sendable {
        case address(String)
        case project(Int)
        /// Everybody whose key is not known yet, together.
        case unknown
    }

    /// Requests up to this size count as small.
    package static let smallBytes = 1 << 20
    /// Most that wait; one more is refused.
    static let maxWaiters = 1_000

    struct Request: Sendable {
        let id: Int
        let bytes: Int
        /// What the sender holds with this request when it is granted.
        let total: Int
        let owners: [Owner]

        var isSmall: Bool { total <= MemoryShares.smallBytes }
    }

    let capacity: Int
    /// What large requests leave free.
    let keptForSmall: Int
    let share: Int
    private(set) var used = 0
    private var usedBySmall = 0
    private(set) var waiting: [Request] = []
    private var held: [Owner: Holding] = [:]

    /// What an owner holds, in all and by small requests.
    private struct Holding {
        var all = 0
        var small = 0
    }

    init(capacity: Int) {
        self.capacity = capacity
        keptForSmall = capacity / 8
        share = capacity / 4
    }

    enum Answer: Equatable {
        case granted
        case waits
        case refused
    }

    /// Grants bytes that are free for the request; false when they are not, and then nothing has changed.
    ///
    /// A request larger than the budget counts as all of it. After a grant others may fit that waited: ``serve()``.
    mutating func tryAsk(_ request: Request) -> Bool {
        // Behind those who wait for the same; who waits because of its own share alone holds up nobody.
        let isBehind = waiting.contains { ($0.isSmall || !request.isSmall) && fitsShare($0) }
        guard !isBehind, fits(request) else { return false }
        grant(request)
        return true
    }

    /// Asks for bytes, and waits in line where they are not free.
    mutating func ask(_ request: Request) -> Answer {
        if tryAsk(request) { return .granted }
        guard waiting.count < Self.maxWaiters else { return .refused }
        waiting.append(request)
        return .waits
    }

    /// Gives bytes of a request back that held `total`; returns the requests that are granted by it.
    mutating func free(_ bytes: Int, of total: Int, _ owners: [Owner]) -> [Request] {
        used -= bytes
        usedBySmall += Self.smallPart(total - bytes) - Self.smallPart(total)
        for owner in owners {
            change(owner, from: total, to: total - bytes)
            if held[owner]?.all ?? 0 <= 0 { held[owner] = nil }
        }
        return serve()
    }

    /// Counts a request of the owner that held so many bytes, and now holds so many.
    private mutating func change(_ owner: Owner, from before: Int, to after: Int) {
        held[owner, default: Holding()].all += after - before
        held[owner, default: Holding()].small += Self.smallPart(after) - Self.smallPart(before)
    }

    private static func smallPart(_ total: Int) -> Int { total <= smallBytes ? total : 0 }
    private static func largePart(_ total: Int) -> Int { total <= smallBytes ? 0 : total }

    /// Ends a wait; nil when the request was granted before.
    mutating func giveUp(_ id: Int) -> (request: Request, granted: [Request])? {
        guard let place = waiting.firstIndex(where: { $0.id == id }) else { return nil }
        let request = waiting.remove(at: place)
        return (request, serve())
    }

    /// Counts another owner for a request that holds so many bytes; what it holds stays granted.
    mutating func add(_ owner: Owner, holding bytes: Int) { change(owner, from: 0, to: bytes) }

    /// Grants what fits now of those that wait.
    mutating func serve() -> [Request] {
        guard !waiting.isEmpty else { return [] }
        var granted: Set<Int> = []
        var served: [Request] = []
        for small in [true, false] {
            for request in waiting where request.isSmall == small && !granted.contains(request.id) {
                guard fitsShare(request) else { continue }
                // The first that does not fit keeps its place before those behind it.
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
        return used + request.bytes <= capacity - keptForSmall || otherLarge == 0
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
