import Foundation
import Testing
import WhorlProtocol
import WhorlTestSupport

@testable import WhorlProcessing

@Suite("Demangling", .serialized)
struct NameDemanglerTests {
    /// A C++ name of 265 bytes of nested pairs, each of which refers to the previous one twice.
    static let growingCxx: String = {
        let digits = Array("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ")
        return (0..<25).reduce("_Z1fSt4pairIiiE") { $0 + "S_IS\(digits[$1])_S\(digits[$1])_E" }
    }()

    /// A Swift name of 140 bytes: a generic type whose second argument refers to the whole first argument.
    static let growingSwift: String = {
        let digits = Array("DEFGHIJKLMNOPQRSTUVWXYZ")
        let argument = (0..<20).reduce("ACySiSiG") { "ACy" + $0 + "A\(digits[$1])G" }
        return "$s1a1GVy" + argument + "AXGD"
    }()

    @Test("Mangled names are demangled; overlong and invalid ones stay unchanged")
    func readable() async {
        let cases: [(String, String?)] = [
            ("$s4Shop4CartV5totalSiyF", "Shop.Cart.total() -> Swift.Int"),
            ("_ZN4shop4Cart5totalEv", "shop::Cart::total()"), ("__ZN4shop4Cart5totalEv", "shop::Cart::total()"),
            ("_ZN4shop4cart5total17h0123456789abcdefE", "shop::cart::total"),
            ("_RNvNtCs1234_4shop4cart5total", "shop::cart::total"), ("total", nil), ("_Z", nil), ("", nil),
            ("$s" + String(repeating: "4Shop", count: 200), nil),
        ]
        let names = await NameDemangler.shared.names(cases.map(\.0), projectID: 1)
        for (mangled, expected) in cases { #expect(names[mangled] == expected, "\(mangled)") }
    }

    @Test("Names that expand exponentially use bounded memory and time, and the next name is demangled")
    func growing() async throws {
        let before = try residentBytes()
        #expect(Self.growingCxx.utf8.count == 265 && Self.growingSwift.utf8.count < 150)
        for (index, name) in [Self.growingSwift, Self.growingCxx].enumerated() {
            let start = ContinuousClock.now
            let names = await NameDemangler.shared.names([name, "_ZN4shop4Cart\(index)5otherEv"], projectID: 2)
            #expect(names[name] == nil, "the name stays unchanged")
            #expect(start.duration(to: .now) < scaledBound(.seconds(2)))
        }
        // No worker process exceeds its memory limit, and the kernel enforces the limit.
        // A worker that ended because of a name is replaced shortly afterwards.
        #expect(try await eventually { try !Self.demanglers().workers.isEmpty })
        let workers = try Self.demanglers().workers
        for child in workers {
            let status = try String(contentsOfFile: "/proc/\(child)/status", encoding: .utf8)
            let peak = try #require(status.firstMatch(of: /VmHWM:\s+(\d+) kB/).flatMap { Int($0.1) })
            #expect(peak < 80 << 10)
            let limits = try String(contentsOfFile: "/proc/\(child)/limits", encoding: .utf8)
            #expect(limits.firstMatch(of: /Max data size\s+(\d+)/).flatMap { Int($0.1) } ?? .max <= 128 << 20)
        }
        let after = await NameDemangler.shared.names(["_ZN4shop4Cart5afterEv"], projectID: 2)
        #expect(after["_ZN4shop4Cart5afterEv"] == "shop::Cart::after()")
        #expect(try residentBytes() - before < 32 << 20)
    }

    @Test("Results are cut to 4 KiB, whatever structure the demanglers recurse on")
    func bounds() async {
        for unit in ["Sa", "ySa", "1a", "N", "P", "R", "I", "F", "T_", "S_", "x", "_"] {
            for prefix in ["$s", "_Z", "_ZN", "_R", "_RNv", "$S", "_T0"] {
                let name = prefix + String(repeating: unit, count: (512 - prefix.utf8.count) / unit.utf8.count)
                let names = await NameDemangler.shared.names([name], projectID: 3)
                #expect((names[name]?.utf8.count ?? 0) <= 4_096)
            }
        }
    }

    @Test("A killed worker process is replaced")
    func killed() async throws {
        _ = await NameDemangler.shared.names(["_ZN1a1bEv"], projectID: 4)
        // The supervisor processes that this process started.
        let children = try Self.demanglers().supervisors
        #expect(!children.isEmpty)
        for child in children { kill(child, SIGKILL) }
        let isBack = try await eventually {
            let name = "_ZN1a\(Int.random(in: 100...999_999))bEv"
            let text = "_ZN1a3b\(Int.random(in: 10...99))Ev"
            return await NameDemangler.shared.names([name, text], projectID: 4)[text] != nil
        }
        #expect(isBack)
    }

    @Test("A project that exceeds its demangling time loses demangling for the rest of the minute; others do not")
    func share() {
        var costly = DemanglingBudget()
        for _ in 0..<20 {
            #expect(costly.allows(1, minute: 5))
            costly.add(.milliseconds(20), 1, minute: 5)
        }
        #expect(!costly.allows(1, minute: 5))
        #expect(costly.allows(2, minute: 5))
        #expect(costly.allows(1, minute: 6))
        costly.add(.milliseconds(20), 2, minute: 6)
        #expect(costly.allows(1, minute: 6))
    }

    @Test("The cache of names is bounded in bytes")
    func cache() {
        var cache = NameCache(maxBytes: 1_000)
        for index in 0..<100 {
            cache.add("name \(index)", String(repeating: "x", count: 100))
            #expect(cache.result(for: "name \(index)") == String(repeating: "x", count: 100))
        }
        #expect(cache.result(for: "name 0") == nil)
        cache.add("none", nil)
        #expect(cache.result(for: "none") == .some(nil))
    }

    /// The supervisor processes that this process started, and their workers.
    private static func demanglers() throws -> (supervisors: [Int32], workers: [Int32]) {
        let readers = try FileManager.default.contentsOfDirectory(atPath: "/proc").compactMap { Int32($0) }
            .filter { (try? String(contentsOfFile: "/proc/\($0)/comm", encoding: .utf8)) == "whorl-demangle\n" }
        func children(of parents: [Int32]) -> [Int32] {
            readers.filter { process in
                let status = try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8)
                let parent = status?.split(separator: ")").last?.split(separator: " ").dropFirst().first
                return parent.flatMap { Int32($0) }.map(parents.contains) ?? false
            }
        }
        let supervisors = children(of: [getpid()])
        return (supervisors, children(of: supervisors))
    }

    private func residentBytes() throws -> Int {
        let fields = try String(contentsOfFile: "/proc/self/statm", encoding: .utf8).split(separator: " ")
        return (Int(fields[1]) ?? 0) * Int(getpagesize())
    }
}
