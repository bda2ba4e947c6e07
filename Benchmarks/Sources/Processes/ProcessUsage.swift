import Foundation
import Glibc

/// The resource usage of processes, read from `/proc`.
public enum ProcessUsage {
    /// The CPU seconds of a process and of its ended children.
    public static func cpuSeconds(_ process: Int32) -> Double {
        guard let fields = stat(process), fields.count > 16 else { return 0 }
        let ticks = [13, 14, 15, 16].compactMap { Double(fields[$0]) }.reduce(0, +)
        return ticks / Double(sysconf(Int32(_SC_CLK_TCK)))
    }

    /// The peak resident size, in bytes.
    public static func peakMemory(_ process: Int32) -> Int { status(process, "VmHWM:") }

    /// The resident size, in bytes.
    public static func memory(_ process: Int32) -> Int { status(process, "VmRSS:") }

    private static func status(_ process: Int32, _ name: String) -> Int {
        guard let text = try? String(contentsOfFile: "/proc/\(process)/status", encoding: .utf8),
            let line = text.split(separator: "\n").first(where: { $0.hasPrefix(name) }),
            let kilobytes = Int(line.filter(\.isNumber))
        else { return 0 }
        return kilobytes * 1_024
    }

    /// The processes of the Postgres cluster in a directory.
    public static func postgres(in directory: String) -> [Int32] {
        ((try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []).compactMap { Int32($0) }
            .filter {
                (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\($0)/cwd")) == directory
            }
    }

    private static func stat(_ process: Int32) -> [Substring]? {
        guard let text = try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8),
            let close = text.lastIndex(of: ")")
        else { return nil }
        return ["", ""] + text[text.index(after: close)...].split(separator: " ")
    }
}
