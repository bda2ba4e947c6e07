import Testing
import WhorlProcessing
import WhorlProtocol

@Suite("Grouping of panics")
struct PanicTests {
    /// An event with the frames of a Rust panic, outermost first.
    ///
    /// The standard library wraps `main`, threads and tasks in functions of its panic module.
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

    @Test("Panics in different functions are different issues, in main, in threads and in tasks")
    func different() throws {
        for outer in [Self.main, Self.task] {
            let pay = hashes(try panic("shop::pay", outer: outer))
            let ship = hashes(try panic("shop::ship", outer: outer))
            #expect(Set(pay).isDisjoint(with: ship))
            // Version 2 groups these panics together in tasks, and still does so for projects that use it.
            #expect(
                hashes(try panic("shop::pay", outer: outer), .second)
                    == hashes(try panic("shop::ship", outer: outer), .second) || outer == Self.main
            )
        }
    }

    @Test("Frames of the panic runtime and of panic hooks do not contribute to the leading hash")
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
