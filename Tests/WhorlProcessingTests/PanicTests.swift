import Testing
import WhorlProcessing
import WhorlProtocol

@Suite("Panics and where they begin")
struct PanicTests {
    /// The frames of a Rust panic, the oldest first; std wraps `main`, threads and tasks in functions of its panic module.
    private func panic(_ function: String, outer: [String], inner: [String] = PanicTests.raising) throws -> Event {
        let own = ["shop::serve", function]
        let frames = (outer + own + inner)
            .map { name in
                #"{"function":"\#(name)","in_app":\#(name.hasPrefix("shop::"))}"#
            }
        return Event(
            try JSONDocument(
                Array(
                    """
                    {"platform":"native","exception":{"values":[{"type":"panic","value":"x","stacktrace":{"frames":
                    [\(frames.joined(separator: ","))]}}]}}
                    """
                    .utf8
                )
            )
            .root
        )
    }

    private static let raising = ["core::panicking::panic", "core::panicking::panic_fmt", "rust_begin_unwind"]
    private static let main = [
        "_start", "main", "std::rt::lang_start", "std::rt::lang_start_internal", "std::panicking::try",
        "std::panicking::try::do_call", "std::rt::lang_start::{{closure}}", "shop::main",
    ]
    private static let task = [
        "clone3", "start_thread", "std::sys::pal::unix::thread::Thread::new::thread_start",
        "std::panicking::try", "tokio::runtime::blocking::pool::Inner::run", "std::panic::catch_unwind",
        "std::panicking::try::do_call", "tokio::runtime::task::raw::poll",
    ]

    private func hashes(_ event: Event, _ version: GroupingVersion = .current) -> [[UInt8]] {
        var settings = GroupingSettings()
        settings.version = version
        return Grouping(event, settings).hashes.map(\.hash)
    }

    @Test("Panics of different functions are different issues, in main, in threads and in tasks")
    func different() throws {
        for outer in [Self.main, Self.task] {
            let pay = hashes(try panic("shop::pay", outer: outer))
            let ship = hashes(try panic("shop::ship", outer: outer))
            #expect(Set(pay).isDisjoint(with: ship))
            // What was wrong before, and stays so for who has it.
            #expect(
                hashes(try panic("shop::pay", outer: outer), .second)
                    == hashes(try panic("shop::ship", outer: outer), .second) || outer == Self.main
            )
        }
    }

    @Test("The machinery at the crash end does not count, whichever it was, nor does a hook that it calls")
    func machinery() throws {
        let plain = hashes(try panic("shop::pay", outer: Self.main))
        for inner in [
            ["core::option::unwrap_failed", "core::panicking::panic_fmt", "rust_begin_unwind"],
            Self.raising + [
                "std::panicking::rust_panic_with_hook", "shop::report::{{closure}}", "sentry_panic::panic_handler",
            ],
            [],
        ] {
            #expect(hashes(try panic("shop::pay", outer: Self.main, inner: inner)).first == plain.first, "\(inner)")
        }
    }
}
