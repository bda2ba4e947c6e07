import Foundation
import Glibc

/// When a process started, and whether it has ended and only waits to be reaped, as the kernel tells.
struct ProcessStart {
    /// Seconds of Unix time.
    let startedAt: Double
    let isZombie: Bool

    /// Nil when the kernel does not tell.
    init?(of process: Int32) {
        guard let text = try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8),
            // The name in front may hold blanks and brackets of any kind.
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
