import BenchmarkRecord
import EventSamples
import Foundation
import Glibc
import WhorlProcessing
import WhorlProtocol

/// Measures the steps of the event path and compares them with the last run on this machine.
///
/// A number is the CPU time per event in microseconds, the best of five rounds.
@main
struct Micro {
    static func main() async throws {
        var numbers: [String: Double] = [:]
        for (name, text) in [("small", EventSamples.small(issue: 1)), ("typical", EventSamples.typical(issue: 1))] {
            let bytes = Array(text.utf8)
            print("\(name) (\(bytes.count) bytes)")
            try steps(bytes) { step, body in
                let cost = measure(body)
                print("  " + step.padding(toLength: 16, withPad: " ", startingAt: 0), String(format: "%8.1f µs", cost))
                numbers["\(name) \(step)"] = cost
            }
        }
        print("storing (36 KB events, batches of 100; µs or bytes for one event)")
        for (name, cost) in try await Storing.measure() {
            print("  " + name.padding(toLength: 36, withPad: " ", startingAt: 0), String(format: "%8.1f", cost))
            numbers[name] = cost
        }
        try LastRun.compare("micro", numbers)
    }

    private static func steps(_ bytes: [UInt8], _ step: (String, () -> Void) -> Void) throws {
        let gzip = try Gzip.compressed(bytes)
        let document = try JSONDocument(bytes)
        let event = Event(document.root)
        let context = EventContext(projectID: 1, eventID: .random(), receivedAt: Date())
        let rules = ProcessingRules()
        step("inflate") { _ = try? Inflate.decode(gzip, .gzip, limit: 1 << 20) }
        step("read JSON") { _ = try? JSONDocument(bytes) }
        step("read event") { _ = Event(document.root) }
        step("normalise") { _ = NormalisedEvent(event, context) }
        step("fingerprint") { _ = Grouping(event) }
        step("whole pipeline") { _ = try? EventPipeline.reprocess(bytes[...], context) }
        step("process") { _ = try? EventPipeline.process(bytes[...], context, rules) }
    }

    private static func measure(_ body: () -> Void) -> Double {
        let repeats = 500
        return
            (0..<5)
            .map { _ -> Double in
                let start = cpuSeconds()
                for _ in 0..<repeats { body() }
                return (cpuSeconds() - start) / Double(repeats) * 1e6
            }
            .min() ?? 0
    }
}

/// The CPU time of this process in seconds.
func cpuSeconds() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
}
