import Foundation

/// The most memory that a process has in RAM while a test runs, as the kernel counts it.
package final class PeakMemory: Sendable {
    private let processID: Int32

    /// Begins to measure: the kernel's peak is set back to the present value.
    package init(of processID: Int32) throws {
        self.processID = processID
        try "5".write(toFile: "/proc/\(processID)/clear_refs", atomically: false, encoding: .utf8)
    }

    /// The peak since then, in bytes; infinite when it cannot be read.
    package func stop() -> Double {
        guard let status = try? String(contentsOfFile: "/proc/\(processID)/status", encoding: .utf8),
            let line = status.split(separator: "\n").first(where: { $0.hasPrefix("VmHWM:") }),
            let kilobytes = line.split(separator: " ").dropFirst().first.flatMap({ Double($0) })
                ?? line.split(whereSeparator: { !$0.isNumber }).first.flatMap({ Double($0) })
        else { return .infinity }
        return kilobytes * 1_024
    }
}
