/// Who holds how much of a budget of bytes, and who waits for more.
///
/// A pure state machine. Three rules keep one sender from starving another:
/// - Nobody holds more than a share of the budget, counted for the client's address and for the project. A sender that
///   holds less than half of its share may exceed it with one request, since the largest body has to fit.
/// - A part of the budget is kept for small requests, so that large ones cannot use it up.
/// - Small requests that wait are served before large ones; among equals the first comes first.
struct MemoryShares: Sendable {
    /// A sender, as far as shares are concerned.
    enum Owner: Hashable, Sendable {
        case address(String)
        case project(Int)
        /// Everybody whose key is not known yet, together.
        case unknown
    }

    /// Requests up to this size count as small.
    static let smallBytes = 1 << 20
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
    private(set) var waiting: [Request] = []
    private var held: [Owner: Int] = [:]

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

    /// Asks for bytes; a request larger than the budget counts as all of it.
    mutating func ask(_ request: Request) -> Answer {
        // Behind those who wait for the same; who waits because of its own share alone holds up nobody.
        let isBehind = waiting.contains { ($0.isSmall || !request.isSmall) && fitsShare($0) }
        if !isBehind, fits(request) {
            grant(request)
            return .granted
        }
        guard waiting.count < Self.maxWaiters else { return .refused }
        waiting.append(request)
        return .waits
    }

    /// Gives bytes back; returns the requests that are granted by it.
    mutating func free(_ bytes: Int, _ owners: [Owner]) -> [Request] {
        used -= bytes
        for owner in owners {
            let left = held[owner, default: 0] - bytes
            held[owner] = left > 0 ? left : nil
        }
        return serve()
    }

    /// Ends a wait; nil when the request was granted before.
    mutating func giveUp(_ id: Int) -> (request: Request, granted: [Request])? {
        guard let place = waiting.firstIndex(where: { $0.id == id }) else { return nil }
        let request = waiting.remove(at: place)
        return (request, serve())
    }

    private mutating func serve() -> [Request] {
        guard !waiting.isEmpty, used < capacity else { return [] }
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
        // With nothing else in use the largest request fits, whatever is kept for small ones.
        used + request.bytes <= capacity - (request.isSmall ? 0 : keptForSmall) || used == request.total - request.bytes
    }

    private func fitsShare(_ request: Request) -> Bool {
        request.owners.allSatisfy { owner in
            let others = held[owner, default: 0] - (request.total - request.bytes)
            return others <= share / 2 || others + request.total <= share
        }
    }

    private mutating func grant(_ request: Request) {
        used += request.bytes
        for owner in request.owners { held[owner, default: 0] += request.bytes }
    }
}
