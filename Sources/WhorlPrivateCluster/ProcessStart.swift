import Foundation
import Glibc

/// The start time of a process and whether it is a zombie, as reported by the kernel.
struct ProcessStart {
    /// Seconds of Unix time.
    let startedAt: Double
    let isZombie: Bool

    /// Nil when the kernel does not provide the data.
    init?(of process: Int32) {
        guard let text = try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8),
            // The process name before it may contain blanks and parentheses.
            let close = text.lastIndex(of: ")")
        else { return nil }
        let fields = text[text.index(after: close)...].split(separator: " ")
        guard fields.count > 19, let ticks = Double(fields[19]),
            let stat = try? String(contentsOfFile: "/proc/stat", encoding: .utf8),
            let line = stat.split(separator: "\n").first(where: { $0.hasPrefix("btime ") }),
            let boot = Double(line.dropFirst(6))
        else { return nil }
        startedAt = boot + ticks / Double(sysconf(Int32(_SC_CLK_TCK)))
        isZombie = fields[0] == "Z"
    }
}
