import Foundation

/// The peak resident memory of a process while a test runs, as the kernel reports it.
package final class PeakMemory: Sendable {
    private let processID: Int32

    /// Starts the measurement and resets the kernel's peak to the current value.
    package init(of processID: Int32) throws {
        self.processID = processID
        try "5".write(toFile: "/proc/\(processID)/clear_refs", atomically: false, encoding: .utf8)
    }

    /// The peak since the start, in bytes; infinite if it cannot be read.
    package func stop() -> Double {
        guard let status = try? String(contentsOfFile: "/proc/\(processID)/status", encoding: .utf8),
            let line = status.split(separator: "\n").first(where: { $0.hasPrefix("VmHWM:") }),
            let kilobytes = line.split(separator: " ").dropFirst().first.flatMap({ Double($0) })
                ?? line.split(whereSeparator: { !$0.isNumber }).first.flatMap({ Double($0) })
        else { return .infinity }
        return kilobytes * 1_024
    }
}
