import Glibc
import WhorlTelemetry

/// Metrics of the kernel about this process, read from `/proc` at each scrape.
package enum ProcessMetrics {
    /// Registers the `process_…` families and the build information.
    package static func describe(in registry: MetricsRegistry, version: String, revision: String) {
        let start = startTime()
        let ticks = Double(sysconf(Int32(_SC_CLK_TCK)))
        func gauge(_ name: String, _ help: String, _ read: @escaping @Sendable () -> Double?) {
            registry.observed(name, help) { read().map { [(labels: [], value: $0)] } ?? [] }
        }
        registry.observed("process_cpu_seconds_total", "User and system time used, in seconds.", kind: .counter) {
            statFields()
                .flatMap { fields in
                    guard fields.count > 14, let user = Double(fields[13]), let system = Double(fields[14]) else {
                        return nil
                    }
                    return [(labels: [], value: (user + system) / ticks)]
                } ?? []
        }
        gauge("process_resident_memory_bytes", "Memory that is in RAM, in bytes.") {
            statFields().flatMap { $0.count > 23 ? Double($0[23]) : nil }.map { $0 * Double(getpagesize()) }
        }
        gauge("process_virtual_memory_bytes", "Address space in use, in bytes.") {
            statFields().flatMap { $0.count > 22 ? Double($0[22]) : nil }
        }
        gauge("process_threads", "Threads.") { statFields().flatMap { $0.count > 19 ? Double($0[19]) : nil } }
        gauge("process_open_fds", "Open file descriptors.") { openDescriptors() }
        gauge("process_max_fds", "Maximum number of open file descriptors.") {
            var limit = rlimit()
            return getrlimit(__rlimit_resource_t(UInt32(RLIMIT_NOFILE.rawValue)), &limit) == 0
                ? Double(limit.rlim_cur) : nil
        }
        if let start {
            gauge("process_start_time_seconds", "Unix time at which the process started.") { start }
        }
        registry.observed(
            "whorl_build_info",
            "Always 1; the labels describe the build.",
            labels: ["version", "revision", "swift_version"]
        ) {
            [(labels: [version, revision, swiftVersion], value: 1)]
        }
    }

    #if compiler(>=6.3)
    private static let swiftVersion = "6.3"
    #else
    private static let swiftVersion = "6.2"
    #endif

    /// The fields of `/proc/self/stat`, counted from 0; the second one may contain spaces and brackets.
    private static func statFields() -> [Substring]? {
        guard let text = read("/proc/self/stat"), let close = text.lastIndex(of: ")") else { return nil }
        return ["", ""] + text[text.index(after: close)...].split(separator: " ")
    }

    private static func startTime() -> Double? {
        guard let fields = statFields(), fields.count > 21, let started = Double(fields[21]),
            let stat = read("/proc/stat"),
            let line = stat.split(separator: "\n").first(where: { $0.hasPrefix("btime ") }),
            let boot = Double(line.dropFirst(6))
        else { return nil }
        return boot + started / Double(sysconf(Int32(_SC_CLK_TCK)))
    }

    private static func openDescriptors() -> Double? {
        guard let directory = opendir("/proc/self/fd") else { return nil }
        defer { closedir(directory) }
        var count = -3.0  // Not counted: this descriptor, `.` and `..`.
        while readdir(directory) != nil { count += 1 }
        return count
    }

    private static func read(_ path: String) -> String? {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return nil }
        defer { close(file) }
        var buffer = [UInt8](repeating: 0, count: 16_384)
        var text: [UInt8] = []
        while true {
            let count = Glibc.read(file, &buffer, buffer.count)
            if count <= 0 { break }
            text += buffer[..<count]
        }
        return String(decoding: text, as: UTF8.self)
    }
}
