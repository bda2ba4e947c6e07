import Glibc

/// The limit on open files and sockets of the process.
enum DescriptorLimit {
    /// Descriptors that the process needs besides connections: for the database, the spool and the log.
    private static let reserve = 100

    /// Raises the limit as far as the system allows, and returns how many connections fit within it.
    static func raise() -> Int {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return 128 }
        limit.rlim_cur = limit.rlim_max
        _ = setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        _ = getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        return max(Int(clamping: limit.rlim_cur) - reserve, 16)
    }
}
