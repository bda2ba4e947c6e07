import WhorlProtocol

/// Marks frames that do not depend on the fault.
///
/// These are helpers that raise errors with all frames that they call, thread entry points with all their callers, and
/// frames that compilers, engines and SDKs insert.
enum NoiseRule {
    /// Marks the frames, the oldest first.
    static func mark(_ frames: [FrameFacts], _ version: GroupingVersion) {
        for index in frames.indices where frames[index].ignored == nil {
            if let reason = alone(frames[index]) { frames[index].ignored = reason }
        }
        markProxies(frames)
        keepLastThunk(frames)
        // All frames from the first throw helper on raise the error. They are ignored only if an older frame
        // contributes.
        let raising =
            version == .third
            ? crashEnd(of: frames) : frames.indices.first(where: { isThrowHelper(frames[$0]) })
        if let first = raising,
            frames[..<first].contains(where: { $0.ignored == nil && !$0.key.isEmpty })
        {
            for index in first..<frames.count { frames[index].ignored = .throwHelper }
        }
        if let last = frames.indices.last(where: { isThreadBase(frames[$0]) }),
            frames[(last + 1)...].contains(where: { $0.ignored == nil && !$0.key.isEmpty })
        {
            for index in 0...last { frames[index].ignored = .threadBase }
        }
    }

    /// The index of the first throw helper at the crash end of the stack; nil when there is none.
    ///
    /// It is the first throw helper after the last in-app frame, or after the last contributing frame if none is
    /// in-app. Frames of a panic hook or a signal handler belong to the crash end.
    private static func crashEnd(of frames: [FrameFacts]) -> Int? {
        let end = frames.firstIndex { hookCallers.contains($0.frame.function ?? "") } ?? frames.count
        func isBody(_ facts: FrameFacts) -> Bool { facts.ignored == nil && !facts.key.isEmpty && !isThrowHelper(facts) }
        let last =
            frames[..<end].lastIndex { $0.isOwn && isBody($0) } ?? frames[..<end].lastIndex(where: isBody)
        let start = last.map { $0 + 1 } ?? 0
        return frames[start...].firstIndex(where: isThrowHelper)
    }

    /// Functions that call a panic hook or a signal handler, whose frames are then the last frames of the stack.
    private static let hookCallers: Set<String> = [
        "rust_panic_with_hook", "std::panicking::rust_panic_with_hook", "rust_begin_unwind",
        "std::panicking::begin_panic_handler", "_rust_begin_unwind", "_sigtramp", "__restore_rt",
        "<signal handler called>", "KiUserExceptionDispatcher", "KiUserExceptionDispatch",
    ]

    /// Keeps a compiler thunk if it is the last in-app frame, because the function itself was inlined.
    private static func keepLastThunk(_ frames: [FrameFacts]) {
        guard
            let last = frames.lastIndex(where: {
                $0.family == .native && $0.isOwn && ($0.ignored == nil || isThunk($0.frame))
            }),
            frames[last].ignored == .helper
        else { return }
        frames[last].ignored = nil
    }

    private static func isThunk(_ frame: Frame) -> Bool {
        let function = frame.function ?? ""
        return thunks.contains { function.hasPrefix($0) && !$0.hasPrefix("reabstraction") && !$0.hasPrefix("thunk") }
    }

    /// Ignores frames of generated classes if the class that they wrap is also in the stack.
    private static func markProxies(_ frames: [FrameFacts]) {
        let proxies = frames.indices.filter {
            frames[$0].family == .jvm && JVMNames.isGenerated(frames[$0].frame.module ?? "")
        }
        guard !proxies.isEmpty else { return }
        let real = Set(frames.indices.filter { !proxies.contains($0) }.compactMap { frames[$0].module })
        for index in proxies where frames[index].module.map(real.contains) ?? true { frames[index].ignored = .helper }
    }

    /// The reason to ignore a frame independent of the other frames; nil when there is none.
    private static func alone(_ facts: FrameFacts) -> FrameFacts.Reason? {
        let frame = facts.frame
        let function = frame.function ?? ""
        switch facts.family {
        case .script:
            if function == "eval"
                || ["[native code]", "native code", "eval code", "<anonymous>", "native"]
                    .contains(frame.absPath ?? frame.filename ?? "")
            {
                return .engine
            }
            if scriptHelpers.contains(where: { function.hasPrefix($0) }) { return .helper }
            if let path = frame.absPath ?? frame.filename,
                scriptHelperFolders.contains(where: { path.has($0) }) || path.hasPrefix("node:")
                    || path.hasPrefix("internal/")
            {
                return .helper
            }
        case .python:
            if PythonNames.isComprehension(function) { return .comprehension }
            if let path = frame.absPath ?? frame.filename,
                path.has("sentry_sdk/") || path.hasPrefix("<frozen ") || path.hasSuffix("newrelic")
            {
                return .helper
            }
        case .jvm:
            if let module = frame.module, jvmHelpers.contains(where: { module.hasPrefix($0) }) { return .helper }
            if let module = facts.module, module.hasSuffix("$Proxy") || module.hasPrefix("$Proxy") { return .helper }
            if frame.filename == "R8$$SyntheticClass" { return .helper }
            if function.hasPrefix("access$") || function.hasPrefix("-$$Nest$") { return .helper }
        case .dotnet:
            if function.hasPrefix("lambda_method") { return .helper }
            if let module = frame.module, dotnetHelpers.contains(where: { module.hasPrefix($0) }) { return .helper }
        case .native:
            if nativeHelpers.contains(where: { function.hasPrefix($0) }) { return .helper }
            if (frame.absPath ?? frame.filename ?? "").hasSuffix("<compiler-generated>") { return .helper }
            if function.hasPrefix("$s"),
                function.hasSuffix("To") || function.hasSuffix("TW") || function.hasSuffix("TA")
                    || function.hasSuffix("TR")
            {
                return .helper
            }
            if thunks.contains(where: { function.hasPrefix($0) }) { return .helper }
        case .ruby:
            if let path = frame.absPath ?? frame.filename,
                path.hasPrefix("<internal:") || path.has("/sentry-r")
            {
                return .helper
            }
        case .php:
            if function == "{main}" { return .threadBase }
        case .go:
            if let module = frame.module,
                module == "runtime" || module == "runtime/debug" || module.hasPrefix("github.com/getsentry/")
            {
                return .helper
            }
        case .dart:
            if let path = frame.absPath ?? frame.filename,
                path.hasPrefix("dart:async") || path.has("package:sentry")
                    || path.has("package:stack_trace")
            {
                return .helper
            }
            if [frame.function, frame.absPath, frame.filename].contains("<asynchronous suspension>") { return .helper }
        case .beam, .other: break
        }
        return nil
    }

    private static let scriptHelpers = [
        "processTicksAndRejections", "process.processTicksAndRejections", "_asyncToGenerator", "asyncGeneratorStep",
        "__awaiter", "__generator", "__async", "tryCatch", "_callee$", "sentryWrapped", "__rejected", "__fulfilled",
        "fulfilled", "rejected",
        "Generator.", "regeneratorRuntime", "nrWrapper", "_nextTickCallback", "nextTick",
    ]
    private static let scriptHelperFolders = [
        "/@babel/runtime", "/core-js/", "/regenerator-runtime/", "/tslib/", "/@sentry/", "/zone.js/", "@opentelemetry/",
    ]
    private static let jvmHelpers = [
        "java.lang.reflect.", "jdk.internal.reflect.", "sun.reflect.", "java.lang.invoke.", "com.sun.proxy.",
        "jdk.proxy",
        "io.sentry.", "kotlin.coroutines.jvm.internal.", "kotlinx.coroutines.DispatchedTask",
        "kotlinx.coroutines.internal.", "kotlinx.coroutines.scheduling.",
    ]
    private static let dotnetHelpers = [
        "System.Runtime.CompilerServices.", "System.Runtime.ExceptionServices.", "System.ThrowHelper", "Sentry.",
        "System.Threading.ExecutionContext", "System.Threading.Tasks.AwaitTaskContinuation",
    ]
    /// Prefixes of thunks that the Swift compiler inserts between a call and its function.
    private static let thunks = [
        "partial apply forwarder for ", "reabstraction thunk ", "thunk for ", "protocol witness for ", "@objc ",
        "dispatch thunk of ",
    ]
    private static let nativeHelpers = [
        "swift_task_", "swift::runJob", "completeTask", "__rust_begin_short_backtrace", "__rust_end_short_backtrace",
        "std::sys_common::backtrace::__rust", "std::sys::backtrace::__rust", "<unknown>", "sentry_", "_sentry",
        "sentry::", "sentry_core::", "sentry_panic",
    ]

    private static func isThrowHelper(_ facts: FrameFacts) -> Bool {
        guard let function = facts.frame.function else { return false }
        switch facts.family {
        case .native:
            let name = facts.function ?? function
            return throwHelpers.contains(name) || throwHelpers.contains(function)
                || throwPrefixes.contains { name.hasPrefix($0) || function.hasPrefix($0) }
        case .go:
            return facts.frame.module == "runtime"
                && ["gopanic", "sigpanic", "panicmem", "goPanicIndex", "panicIndex", "panicdivide", "throw"]
                    .contains(function)
        case .dotnet: return facts.frame.module?.hasSuffix("ThrowHelper") ?? false
        case .php: return false
        default: return false
        }
    }

    private static let throwHelpers: Set<String> = [
        "abort", "raise", "__pthread_kill", "pthread_kill", "__pthread_kill_implementation", "__GI_raise", "__GI_abort",
        "gsignal",
        "__abort", "_CxxThrowException", "__cxa_throw", "__cxa_rethrow", "objc_exception_throw",
        "__exceptionPreprocess",
        "terminate", "std::terminate", "std::__terminate", "__cxxabiv1::__terminate", "__assert_fail",
        "__assert_fail_base", "__assert_rtn",
        "RaiseException", "KiUserExceptionDispatcher", "KiUserExceptionDispatch", "_sigtramp", "__restore_rt",
        "<signal handler called>", "rust_begin_unwind", "rust_panic", "rust_panic_with_hook", "__rust_start_panic",
        "begin_panic", "panic_fmt", "swift_unexpectedError", "swift_deletedMethodError", "_swift_runtime_on_report",
        "std::panicking::rust_panic_with_hook", "std::panicking::begin_panic", "core::panicking::panic_fmt",
        "core::panicking::panic",
        "+[NSException raise:format:]", "-[NSException raise]",
        "-[NSAssertionHandler handleFailureInMethod:object:file:lineNumber:description:]",
        "fatalError", "preconditionFailure", "assertionFailure", "__stack_chk_fail", "__chk_fail", "__fortify_fail",
    ]
    private static let throwPrefixes = [
        "core::panicking::", "std::panicking::", "core::option::unwrap_failed", "core::option::expect_failed",
        "core::result::unwrap_failed", "core::cell::panic", "core::slice::index::", "core::str::slice_error_fail",
        "alloc::alloc::handle_alloc_error", "_assertionFailure", "Swift._assertionFailure", "Swift.fatalError",
        "_fatalErrorMessage",
        "Swift._fatalErrorMessage", "Swift.preconditionFailure", "Swift.assertionFailure", "swift::fatalError",
        "std::__throw_", "std::rt::panic", "std::__1::__throw", "_assertionFailure(",
        "fatalError(", "__Swift_",
    ]

    private static func isThreadBase(_ facts: FrameFacts) -> Bool {
        guard let function = facts.frame.function else { return false }
        switch facts.family {
        case .native:
            return threadBases.contains(function) || threadBases.contains(facts.function ?? "")
                || function.hasPrefix("__libc_start") || function.hasPrefix("std::rt::lang_start")
                || function.hasPrefix("std::sys::") && function.has("thread_start")
        case .go: return facts.frame.module == "runtime" && (function == "main" || function == "goexit")
        case .python: return function == "<module>" && (facts.frame.filename ?? "").hasSuffix("/bin/gunicorn")
        default: return false
        }
    }

    private static let threadBases: Set<String> = [
        "main", "_main", "start", "_start", "start_thread", "thread_start", "_pthread_start", "_pthread_body", "clone",
        "__clone", "clone3",
        "__clone3", "BaseThreadInitThunk", "RtlUserThreadStart", "_dispatch_worker_thread2", "_dispatch_worker_thread",
        "start_wqthread", "_pthread_wqthread",
        "invoke_main", "__scrt_common_main_seh", "mainCRTStartup", "wWinMain", "WinMain", "dyld_start", "_dyld_start",
        "$main", "static $main", "execute_native_thread_routine",
    ]
}
