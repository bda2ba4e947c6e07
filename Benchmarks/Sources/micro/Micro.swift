import EventSamples
import Foundation
import Glibc
import WhorlProcessing
import WhorlProtocol

/// Measures the pure steps of an event's path: CPU microseconds for one event, best of five rounds.
@main
struct Micro {
    static func main() throws {
        for (name, text) in [("small", EventSamples.small(issue: 1)), ("typical", EventSamples.typical(issue: 1))] {
            let bytes = Array(text.utf8)
            let document = try JSONDocument(bytes)
            let event = Event(document.root)
            let context = EventContext(projectID: 1, eventID: .random(), receivedAt: Date())
            print("\(name) (\(bytes.count) bytes)")
            measure("  read JSON") { _ = try? JSONDocument(bytes) }
            measure("  read event") { _ = Event(document.root) }
            measure("  normalise") { _ = NormalisedEvent(event, context) }
            measure("  fingerprint") { _ = Grouping(event) }
            measure("  whole pipeline") { _ = try? EventPipeline.process(bytes[...], context) }
        }
    }

    private static func measure(_ name: String, _ body: () -> Void) {
        let repeats = 500
        let best =
            (0..<5)
            .map { _ -> Double in
                let start = cpuSeconds()
                for _ in 0..<repeats { body() }
                return (cpuSeconds() - start) / Double(repeats) * 1e6
            }
            .min() ?? 0
        print(name.padding(toLength: 18, withPad: " ", startingAt: 0), String(format: "%8.1f µs", best))
    }

    private static func cpuSeconds() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }
}
