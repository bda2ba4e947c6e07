import HTTPTypes
import Metrics
import Synchronization

/// Records the count and the duration of requests through swift-metrics; creates one metric object for each set of
/// labels.
final class RequestRecorder: Sendable {
    struct Record {
        let method: String
        let route: String
        let start: ContinuousClock.Instant
    }

    private struct Key: Hashable {
        let route: String
        let method: String
        let code: Int
    }

    private struct Handles {
        var counters: [Key: Counter] = [:]
        var timers: [Key: Timer] = [:]
        var running: [String: (meter: Meter, count: Int)] = [:]
    }

    private let handles = Mutex(Handles())

    /// Records the start of a request; `route` is the template of the route, nil when no route matches.
    func begin(_ method: HTTPRequest.Method, route: String?) -> Record {
        let route = route ?? "__unmatched__"
        handles.withLock { handles in
            var entry =
                handles.running[route]
                ?? (Meter(label: "http_requests_in_progress", dimensions: [("route", route)]), 0)
            entry.count += 1
            entry.meter.set(entry.count)
            handles.running[route] = entry
        }
        return Record(method: Self.label(method), route: route, start: .now)
    }

    /// Records the end of a request.
    func end(_ record: Record, status: Int) {
        let duration = record.start.duration(to: .now)
        let key = Key(route: record.route, method: record.method, code: status)
        let (counter, timer) = handles.withLock { handles in
            if var entry = handles.running[record.route] {
                entry.count -= 1
                entry.meter.set(entry.count)
                handles.running[record.route] = entry
            }
            let counter =
                handles.counters[key]
                ?? Counter(
                    label: "http_requests_total",
                    dimensions: [("route", key.route), ("method", key.method), ("code", String(status))]
                )
            handles.counters[key] = counter
            let timerKey = Key(route: key.route, method: key.method, code: 0)
            let timer =
                handles.timers[timerKey]
                ?? Timer(
                    label: "http_request_duration_seconds",
                    dimensions: [("route", key.route), ("method", key.method)]
                )
            handles.timers[timerKey] = timer
            return (counter, timer)
        }
        counter.increment()
        timer.record(duration: duration)
    }

    private static func label(_ method: HTTPRequest.Method) -> String {
        switch method {
        case .get, .post, .put, .delete, .patch, .head, .options: method.rawValue
        default: "_OTHER"
        }
    }
}
