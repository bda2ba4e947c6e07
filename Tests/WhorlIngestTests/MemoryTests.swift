import Testing

@testable import WhorlIngest

@Suite("Memory budget for bodies")
struct MemoryTests {
    private static let mib = 1 << 20

    /// A deterministic pseudo-random number generator (SplitMix64).
    private struct SplitMix {
        var state: UInt64

        mutating func next() -> UInt64 {
            state &+= 0x9E37_79B9_7F4A_7C15
            var mixed = state
            mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
            mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
            return mixed ^ (mixed >> 31)
        }
    }

    private func request(
        _ id: Int,
        _ bytes: Int,
        total: Int? = nil,
        _ owner: String = "a"
    ) -> MemoryShares.Request {
        .init(id: id, bytes: bytes, total: total ?? bytes, owners: [.address(owner)])
    }

    @Test("A sender holds at most a quarter, except for one large request of a sender that holds little")
    func share() {
        var shares = MemoryShares(capacity: 40 * Self.mib)
        #expect(shares.ask(request(0, 1_000, "a")) == .granted)
        #expect(shares.ask(request(1, 20 * Self.mib, "a")) == .granted, "the largest body has to fit")
        #expect(shares.ask(request(2, 2 * Self.mib, "a")) == .waits)
        #expect(shares.ask(request(3, 9 * Self.mib, "b")) == .granted)
        #expect(shares.ask(request(4, 2 * Self.mib, "b")) == .waits)
        #expect(shares.ask(request(5, 1_000, "c")) == .granted, "a request over its own share does not block others")
        let served = shares.free(20 * Self.mib, of: 20 * Self.mib, [.address("a")]).map(\.id)
        #expect(served == [2])
        #expect(shares.free(9 * Self.mib, of: 9 * Self.mib, [.address("b")]).map(\.id) == [4])
    }

    @Test("A sender's large body does not block its small requests, which have a separate share")
    func ownSmall() {
        var shares = MemoryShares(capacity: 40 * Self.mib)
        #expect(shares.ask(request(0, 30 * Self.mib, "a")) == .granted)
        for id in 1...10 { #expect(shares.ask(request(id, Self.mib, "a")) == .granted) }
        #expect(shares.ask(request(20, Self.mib, "a")) == .waits)
        #expect(shares.free(30 * Self.mib, of: 30 * Self.mib, [.address("a")]).isEmpty)
        #expect(shares.free(Self.mib, of: Self.mib, [.address("a")]).map(\.id) == [20])
    }

    @Test("Large requests leave an eighth to small ones, and small requests overtake waiting large ones")
    func small() {
        var shares = MemoryShares(capacity: 40 * Self.mib)
        for (id, owner) in ["a", "b", "c"].enumerated() {
            #expect(shares.ask(request(id, 10 * Self.mib, owner)) == .granted)
        }
        #expect(shares.ask(request(10, 6 * Self.mib, "d")) == .waits)
        for id in 20..<25 { #expect(shares.ask(request(id, Self.mib, "s\(id)")) == .granted) }
        // A second large request does not overtake the first one that waits.
        #expect(shares.ask(request(11, 2 * Self.mib, "e")) == .waits)
        #expect(shares.free(10 * Self.mib, of: 10 * Self.mib, [.address("a")]).map(\.id) == [10, 11])
    }

    @Test("When memory becomes free, small requests are served before large ones, each group in order")
    func order() {
        var shares = MemoryShares(capacity: 8 * Self.mib)
        #expect(shares.ask(request(9, 2 * Self.mib, "w")) == .granted)
        for id in 0..<6 { #expect(shares.ask(request(id, Self.mib, "o\(id)")) == .granted) }
        #expect(shares.ask(request(20, 2 * Self.mib, "x")) == .waits)
        #expect(shares.ask(request(21, Self.mib, "y")) == .waits)
        #expect(shares.ask(request(22, 1_000, "z")) == .waits)
        #expect(shares.free(Self.mib, of: Self.mib, [.address("o0")]).map(\.id) == [21])
        #expect(shares.free(Self.mib, of: Self.mib, [.address("o1")]).map(\.id) == [22])
        #expect(shares.giveUp(20)?.request.id == 20)
        #expect(shares.giveUp(20) == nil)
        #expect(shares.waiting.isEmpty)
    }

    @Test("Bodies that hold memory and wait for more do not deadlock, because one large body is always granted")
    func progress() {
        var shares = MemoryShares(capacity: 16 * Self.mib)
        for id in 0..<16 { #expect(shares.ask(request(id, Self.mib, "o\(id)")) == .granted) }
        #expect(shares.ask(request(100, 3 * Self.mib, total: 4 * Self.mib, "o0")) == .granted)
        for id in 1..<16 {
            #expect(shares.ask(request(100 + id, 3 * Self.mib, total: 4 * Self.mib, "o\(id)")) == .waits)
        }
        var going = [100]
        var done = 0
        while let id = going.popLast() {
            going += shares.free(4 * Self.mib, of: 4 * Self.mib, [.address("o\(id - 100)")]).map(\.id)
            done += 1
        }
        #expect(done == 16 && shares.used == 0)
        // The same holds for the bodies of one sender.
        var own = MemoryShares(capacity: 32 * Self.mib)
        for id in 0..<8 { #expect(own.ask(request(id, Self.mib, "a")) == .granted) }
        #expect(own.ask(request(10, 3 * Self.mib, total: 4 * Self.mib, "a")) == .granted)
    }

    @Test("The number of waiting requests is bounded")
    func bounded() {
        var shares = MemoryShares(capacity: 1_000)
        #expect(shares.ask(request(0, 1_000)) == .granted)
        for id in 1...MemoryShares.maxWaiters { #expect(shares.ask(request(id, 10, "w\(id)")) == .waits) }
        #expect(shares.ask(request(-1, 10, "late")) == .refused)
    }

    @Test("Every granted request is notified, whatever the order of asking, growing, shrinking and giving up")
    func everybodyIsTold() async {
        let budget = MemoryBudget(bytes: 32 * Self.mib, maxWait: .milliseconds(200))
        await withTaskGroup(of: Void.self) { group in
            for number in 0..<400 {
                group.addTask {
                    var random = SplitMix(state: UInt64(number))
                    let owner = MemoryShares.Owner.address("\(random.next() % 6)")
                    let first = Int(random.next() % 3_000_000)
                    guard let held = await budget.reserve(first, for: [owner]) else { return }
                    held.add(.project(Int(random.next() % 3)))
                    _ = held.tryGrow(to: first + Int(random.next() % 4_000_000))
                    await Task.yield()
                    if await held.grow(to: first * 2) { held.shrink(to: first / 3) }
                    await Task.yield()
                    held.release()
                }
            }
        }
        // A granted request that is not notified would hold its bytes for ever.
        #expect(budget.used == 0)
        #expect(budget.tryReserve(32 * Self.mib, for: [.address("last")]) != nil)
    }

    @Test("A failed attempt changes nothing, and requests that fit are served")
    func failedAttempt() async {
        let budget = MemoryBudget(bytes: 32 * Self.mib, maxWait: .seconds(10))
        let other = budget.tryReserve(9 * Self.mib, for: [.address("other")])
        async let large = budget.reserve(20 * Self.mib, for: [.address("a")])
        while budget.waiting < 1 { await Task.yield() }
        async let behind = budget.reserve(2 * Self.mib, for: [.address("e")])
        while budget.waiting < 2 { await Task.yield() }
        var small: [MemoryReservation?] = []
        for _ in 0..<5 { small.append(budget.tryReserve(Self.mib, for: [.address("a")])) }
        #expect(budget.tryReserve(20 * Self.mib, for: [.address("b")]) == nil)
        other?.release()
        #expect(await behind != nil)
        small = []
        #expect(await large != nil)
    }

    @Test("A reservation grows, shrinks, and releases everything when it is deallocated")
    func reservation() async {
        let budget = MemoryBudget(bytes: 100, maxWait: .milliseconds(50))
        do {
            let first = budget.tryReserve(60, for: [.address("a")])
            #expect(first?.bytes == 60 && budget.used == 60)
            #expect(await budget.reserve(60, for: [.address("b")]) == nil, "no bytes were released")
            first?.shrink(to: 20)
            #expect(budget.used == 20)
            #expect(first?.tryGrow(to: 90) == true)
            // A request larger than the budget counts as the whole budget.
            #expect(await first?.grow(to: 1_000) == true)
            #expect(first?.bytes == 100 && budget.used == 100)
        }
        #expect(budget.used == 0)
        let held = budget.tryReserve(100, for: [.address("a")])
        async let waiting = budget.reserve(30, for: [.address("b")])
        held?.release()
        #expect(await waiting?.bytes == 30)
    }
}

extension MemoryBudget {
    /// Reserves `bytes` bytes for these owners; nil if they are not free.
    fileprivate func tryReserve(_ bytes: Int, for owners: [MemoryShares.Owner]) -> MemoryReservation? {
        let reservation = reservation(for: owners)
        return reservation.tryGrow(to: bytes) ? reservation : nil
    }
}
