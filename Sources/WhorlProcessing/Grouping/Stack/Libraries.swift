/// Name prefixes of standard libraries and well-known frameworks.
enum Libraries {
    static let jvmStandard = [
        "java.", "javax.", "jdk.", "sun.", "com.sun.", "kotlin.", "kotlinx.", "scala.", "groovy.lang.", "jakarta.",
        "dalvik.", "libcore.",
    ]
    static let jvmFrameworks = [
        "android.", "androidx.", "com.android.", "com.google.android.", "org.springframework.", "org.apache.",
        "org.hibernate.", "org.eclipse.jetty.", "io.netty.", "io.undertow.", "io.vertx.", "io.quarkus.",
        "io.micronaut.", "io.ktor.", "reactor.", "rx.", "io.reactivex.", "com.zaxxer.hikari.", "com.fasterxml.jackson.",
        "org.jboss.", "org.postgresql.", "com.mysql.", "okhttp3.", "okio.", "retrofit2.", "com.squareup.",
        "com.google.common.", "com.google.inject.",
        "org.junit.", "org.gradle.", "org.codehaus.groovy.", "akka.", "play.", "io.grpc.", "org.slf4j.",
        "ch.qos.logback.", "clojure.",
        "com.netflix.", "org.aspectj.", "net.bytebuddy.", "javassist.", "io.sentry.", "org.jetbrains.",
        "redis.clients.", "io.lettuce.", "org.mongodb.", "com.mongodb.", "com.amazonaws.", "software.amazon.",
        "com.google.gson.", "com.google.firebase.", "dagger.", "org.eclipse.", "org.thymeleaf.", "org.quartz.",
        "feign.", "liquibase.", "org.flywaydb.",
    ]
    static let dotnetStandard = [
        "System.", "Microsoft.AspNetCore.", "Microsoft.EntityFrameworkCore", "Microsoft.Extensions.", "Microsoft.Data.",
        "Microsoft.Win32.", "Microsoft.CSharp.", "Npgsql.", "MySql.",
        "Newtonsoft.Json.", "Serilog.", "NLog.", "Grpc.", "MediatR.", "Polly.", "AutoMapper.", "Dapper.", "Hangfire.",
        "MassTransit.", "FSharp.Core.", "Microsoft.FSharp.", "Xamarin.", "UnityEngine.", "Sentry.", "Swashbuckle.",
        "StackExchange.Redis.",
    ]
    /// The first path components of the standard packages of Go.
    static let goStandard: Set<String> = [
        "archive", "bufio", "bytes", "compress", "container", "context", "crypto", "database", "debug", "embed",
        "encoding", "errors", "expvar", "flag", "fmt", "go", "hash", "html", "image", "index", "internal", "io", "iter",
        "log", "maps",
        "math", "mime", "net", "os", "path", "plugin", "reflect", "regexp", "runtime", "slices", "sort", "strconv",
        "strings", "sync", "syscall", "testing", "text", "time", "unicode", "unique", "unsafe",
    ]
    static let dartFrameworks = [
        "flutter", "flutter_test", "sentry", "sentry_flutter", "http", "dio", "bloc", "flutter_bloc", "provider",
        "riverpod", "flutter_riverpod", "get", "rxdart", "stack_trace", "async", "shelf", "go_router",
    ]
    /// Prefixes of function names in native runtimes and standard libraries.
    static let nativeRuntime = [
        "std::", "core::", "alloc::", "<core::", "<std::", "<alloc::", "<F as core::", "<T as core::", "__rust",
        "rust_", "_rust", "hashbrown::", "tokio::", "futures_", "futures::",
        "hyper::", "tower::", "tower_http::", "axum::", "actix_", "tracing::", "tracing_", "rayon::", "rayon_core::",
        "mio::", "backtrace::", "sentry", "<tokio::", "<hyper::", "<tower::", "<axum::", "<futures", "<actix",
        "<tracing", "<alloc::boxed::Box", "<core::pin::Pin",
        "swift_", "_swift_", "Swift.", "_Swift", "_assertionFailure", "NIOCore.", "NIOPosix.", "NIOHTTP", "_NIO",
        "Vapor.", "Hummingbird", "Dispatch.", "Foundation.", "_Concurrency.", "AsyncKit.", "RoutingKit.",
        "$ss", "$s7NIOCore", "$s8NIOPosix", "$s5Vapor", "$s11Hummingbird", "$sSS", "$sSa", "$sSD",
        "__cxa", "__gnu_cxx", "_dispatch_", "dispatch_", "pthread_", "_pthread", "__pthread", "__libc", "_start",
        "start_thread", "clone", "abort", "raise", "objc_", "_objc_", "__CF", "CFRunLoop", "-[UI", "+[UI", "-[NS",
        "+[NS", "-[_UI", "UIApplicationMain", "GSEventRun", "_sigtramp", "__restore_rt",
        "boost::", "absl::", "folly::", "google::", "QCoreApplication", "QApplication", "QObject", "Qt",
    ]

    /// Whether an image belongs to the system.
    static func isSystemImage(_ path: String) -> Bool {
        guard !path.isEmpty else { return false }
        if path.hasPrefix("/System/Library/") || path.hasPrefix("/usr/lib/") || path.hasPrefix("/lib/")
            || path.hasPrefix("/lib64/")
            || path.hasPrefix("/usr/local/lib/") || path.hasPrefix("/system/") || path.hasPrefix("/apex/")
            || path.hasPrefix("C:\\Windows\\") || path.hasPrefix("C:\\WINDOWS\\") || path.hasPrefix("/usr/lib64/")
            || path.hasPrefix("/opt/swift/") || path.hasPrefix("linux-vdso")
        {
            return true
        }
        let image = FileNames.image(path)
        return image.hasPrefix("libswift") || image.hasPrefix("libfoundation") || image.hasPrefix("libdispatch")
            || [
                "libc.so", "libstdc++.so", "libpthread.so", "libm.so", "libgcc_s.so", "ld-linux-x86-64.so", "uikitcore",
                "uikit", "foundation", "corefoundation", "graphicsservices", "libdyld.dylib", "dyld",
                "libsystem_kernel.dylib", "libsystem_c.dylib", "libsystem_pthread.dylib", "libdispatch.dylib",
                "libobjc.a.dylib", "libc++abi.dylib", "libc++.1.dylib", "libsystem_platform.dylib", "quartzcore",
                "coredata", "swiftui", "combine", "cfnetwork", "webkit", "kernel32.dll", "ntdll.dll", "kernelbase.dll",
                "ucrtbase.dll", "vcruntime140.dll", "msvcp140.dll", "user32.dll",
            ]
            .contains(image)
    }

    static func isBeamLibrary(_ module: String, _ path: String) -> Bool {
        if path.hasPrefix("deps/") || path.has("/deps/") { return true }
        let name = module.hasPrefix("Elixir.") ? String(module.dropFirst(7)) : module
        guard let first = name.first else { return false }
        // Module names of Erlang start with a lower-case letter. Applications in Elixir use capital letters.
        if first.isLowercase || first == ":" { return true }
        let root = String(name.split(separator: ".", maxSplits: 1).first ?? "")
        return [
            "Enum", "Stream", "Task", "GenServer", "Supervisor", "Agent", "Registry", "Kernel", "String", "Map",
            "Keyword", "List", "Access", "Process", "Logger", "Module", "Code", "EEx", "ExUnit", "Mix", "Plug",
            "Phoenix", "Ecto", "DBConnection", "Postgrex", "MyXQL", "Oban", "Bandit", "ThousandIsland", "Cowboy",
            "Ranch", "Finch", "Mint", "Tesla", "Absinthe", "Broadway", "GenStage", "Jason", "Poison", "Sentry",
            "Telemetry", "DynamicSupervisor", "Integer", "Float", "File", "IO", "Regex", "Date", "DateTime",
            "NaiveDateTime", "Time", "URI", "Base", "Tuple", "Enumerable", "Collectable", "Inspect", "Calendar",
            "Application", "System", "Node", "Port", "Range", "MapSet", "HTTPoison", "Req", "Swoosh", "Horde",
        ]
        .contains(root)
    }
}
