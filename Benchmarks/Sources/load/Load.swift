import BenchmarkRecord
import EventSamples
import Foundation

/// Measures a whole collector: starts a release server on a private Postgres, sends load, prints the cost per event.
///
///     load PATH-OF-WHORL [SECONDS [ROUNDS]]      the table of docs/performance.md, compared with the last run here
///     load PATH-OF-WHORL scale [EVENTS ISSUES]   the cost per event, and reads, before and after filling the store
///     load PATH-OF-WHORL idle CONNECTIONS        the same with idle connections
///     load PATH-OF-WHORL steady RATE [SECONDS]   response times at a steady rate, as applications send
@main
struct Load {
    struct Scenario {
        let name: String
        let payloads: [[UInt8]]
    }

    static func main() throws {
        let arguments = Array(CommandLine.arguments.dropFirst())
        guard let executable = arguments.first else {
            FileHandle.standardError.write(
                Data("usage: load PATH-OF-WHORL [SECONDS [ROUNDS] | scale | idle | steady]\n".utf8)
            )
            exit(64)
        }
        func number(_ place: Int, _ usual: Int) -> Int {
            arguments.count > place ? Int(arguments[place]) ?? usual : usual
        }
        switch arguments.dropFirst().first {
        case "scale": try Scale.run(executable, events: number(2, 2_000_000), issues: number(3, 20_000))
        case "idle": try Idle.run(executable, connections: number(2, 1_000))
        case "steady": try Steady.run(executable, rate: number(2, 200), seconds: Double(number(3, 10)))
        default: try table(executable, seconds: Double(number(1, 4)), rounds: number(2, 5))
        }
    }

    /// Runs every scenario `rounds` times and prints the medians.
    private static func table(_ executable: String, seconds: Double, rounds: Int) throws {
        let server = try Server(executable: executable)
        defer { server.stop() }
        let rows = try scenarios()
            .map { scenario in
                try Row.median(
                    (0..<rounds)
                        .map { round in
                            // The first seconds create issues, partitions and query plans that later rounds reuse.
                            try Row(scenario, server, seconds: seconds, warmUp: round == 0 ? 2 : 0.2)
                        }
                )
            }
        print(Row.table(rows))
        try LastRun.compare("load", Dictionary(uniqueKeysWithValues: rows.flatMap(\.comparable)))
        try check(rows)
    }

    /// Exits with an error if acknowledged events are missing, an event was refused, or the pool was blocked for 50 ms.
    static func check(_ rows: [Row]) throws {
        guard rows.allSatisfy({ $0.acknowledged == $0.stored && $0.refused == 0 }) else {
            FileHandle.standardError.write(Data("acknowledged and stored events differ\n".utf8))
            exit(1)
        }
        guard rows.allSatisfy({ $0.poolDelay <= 50 }) else {
            FileHandle.standardError.write(Data("a task waited over 50 ms for the thread pool\n".utf8))
            exit(1)
        }
    }

    static func scenarios() throws -> [Scenario] {
        [
            Scenario(name: "small", payloads: try (0..<500).map { try item(EventSamples.small(issue: $0)) }),
            try typical(),
            Scenario(name: "spike", payloads: [try item(EventSamples.typical(issue: 1))]),
        ]
    }

    static func typical() throws -> Scenario {
        Scenario(name: "typical", payloads: try (0..<500).map { try item(EventSamples.typical(issue: $0)) })
    }

    /// An event item, compressed once.
    private static func item(_ event: String) throws -> [UInt8] {
        let payload = Array(event.utf8)
        return try Gzip.compressed(Array("{\"type\":\"event\",\"length\":\(payload.count)}\n".utf8) + payload)
    }
}
