import Glibc

/// How many files and sockets the process may have open.
enum DescriptorLimit {
    /// What the process needs besides connections: the database, the spool, the log.
    private static let reserve = 100

    /// Raises the limit as far as the system lets us, and returns how many connections fit below it.
    static func raise() -> Int {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return 128 }
        limit.rlim_cur = limit.rlim_max
        _ = setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        _ = getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        return max(Int(clamping: limit.rlim_cur) - reserve, 16)
    }
}
