import Glibc
import Synchronization

/// The cost limit of a reader: CPU time and allocated bytes, relative to the input size.
///
/// The limits are those of the table "What an input may cost" in `docs/reliability.md`, with the time multiplied by 20.
/// The sanitizers and the branch counters make the program 5 to 15 times slower.
struct Cost {
    /// The allocated bytes that every input may use.
    let baseBytes: Int
    /// The allocated bytes per byte of input, including freed ones.
    let bytesPerByte: Int
    /// The microseconds that every input may use.
    let baseMicroseconds: Int
    /// The nanoseconds per byte of input.
    let nanosecondsPerByte: Int

    private static let slowdown = 20

    /// The limit of each reader; a target without an entry is not measured.
    static let bounds: [String: Cost] = [
        "json": Cost(baseBytes: 16 << 10, bytesPerByte: 400, baseMicroseconds: 100, nanosecondsPerByte: 1_000),
        "envelope": Cost(baseBytes: 16 << 10, bytesPerByte: 200, baseMicroseconds: 100, nanosecondsPerByte: 500),
        "event": Cost(baseBytes: 64 << 10, bytesPerByte: 1_000, baseMicroseconds: 200, nanosecondsPerByte: 2_000),
        "credentials": Cost(baseBytes: 16 << 10, bytesPerByte: 400, baseMicroseconds: 200, nanosecondsPerByte: 2_000),
        "answers": Cost(baseBytes: 16 << 10, bytesPerByte: 400, baseMicroseconds: 200, nanosecondsPerByte: 1_000),
        "cursor": Cost(baseBytes: 16 << 10, bytesPerByte: 200, baseMicroseconds: 200, nanosecondsPerByte: 1_000),
        "search": Cost(baseBytes: 32 << 10, bytesPerByte: 400, baseMicroseconds: 200, nanosecondsPerByte: 2_000),
        // The target limits the output to 64 KiB. zstd reserves a window of up to 128 MiB, but pages that are not
        // written use no memory.
        "inflate": Cost(baseBytes: 136 << 20, bytesPerByte: 200, baseMicroseconds: 1_000, nanosecondsPerByte: 1_000),
        "admission": Cost(baseBytes: 1 << 20, bytesPerByte: 4_000, baseMicroseconds: 1_000, nanosecondsPerByte: 10_000),
        "grouping": Cost(baseBytes: 1 << 20, bytesPerByte: 20_000, baseMicroseconds: 2_000, nanosecondsPerByte: 40_000),
        "rules": Cost(baseBytes: 1 << 20, bytesPerByte: 4_000, baseMicroseconds: 1_000, nanosecondsPerByte: 10_000),
        "names": Cost(baseBytes: 1 << 20, bytesPerByte: 20_000, baseMicroseconds: 2_000, nanosecondsPerByte: 40_000),
    ]

    /// Runs the reader, and ends the program if it exceeds its limit three times in a row.
    ///
    /// A single excess can come from a cache that fills or from a busy machine.
    static func measure(_ target: String, _ inputBytes: Int, _ body: () -> Void) {
        guard let bound = bounds[target] else { return body() }
        let bytesBound = bound.baseBytes + bound.bytesPerByte * inputBytes
        let timeBound = (bound.baseMicroseconds * 1_000 + bound.nanosecondsPerByte * inputBytes) * slowdown
        var (bytes, time) = (Int.max, Int.max)
        for _ in 0..<3 {
            let (bytesBefore, timeBefore) = (allocated.load(ordering: .relaxed), processorTime())
            body()
            bytes = min(bytes, allocated.load(ordering: .relaxed) - bytesBefore)
            time = min(time, processorTime() - timeBefore)
            if bytes <= bytesBound, time <= timeBound {
                note(bytes, time, inputBytes)
                return
            }
        }
        fatalError(
            """
            \(target): \(inputBytes) bytes used \(bytes) bytes of memory (bound \(bytesBound)) and \(time) ns (bound \
            \(timeBound))
            """
        )
    }

    /// The CPU time of this thread, in nanoseconds.
    private static func processorTime() -> Int {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return time.tv_sec * 1_000_000_000 + time.tv_nsec
    }

    private nonisolated(unsafe) static var worst = (bytes: 0.0, time: 0.0)

    /// Records the highest cost so far of an input of 64 bytes or more, for the table.
    private static func note(_ bytes: Int, _ time: Int, _ inputBytes: Int) {
        guard inputBytes >= 64 else { return }
        let size = Double(inputBytes)
        worst = (max(worst.bytes, Double(bytes) / size), max(worst.time, Double(time) / size))
    }

    /// Prints the highest cost when the program ends.
    static func report(_ target: String) {
        let bytes = Int(worst.bytes), time = Int(worst.time)
        print("\(target): at worst \(bytes) bytes of memory and \(time) ns (with sanitizers) per byte of input")
    }
}

/// The bytes that the whole program has allocated so far.
let allocated = Atomic<Int>(0)

/// Starts to count allocations.
func countAllocations() {
    _ = allocated.load(ordering: .relaxed)
    let isInstalled = installHooks({ _, size in _ = allocated.add(size, ordering: .relaxed) }, { _ in })
    precondition(isInstalled != 0, "the sanitizer did not install the hooks")
}

@_silgen_name("__sanitizer_install_malloc_and_free_hooks")
private func installHooks(
    _ allocating: @convention(c) (UnsafeRawPointer?, Int) -> Void,
    _ freeing: @convention(c) (UnsafeRawPointer?) -> Void
) -> CInt
