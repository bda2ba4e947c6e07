import HTTPTypes
import Metrics
import Synchronization

/// Counts and times requests through swift-metrics, with handles that are made once for each set of labels.
final class RequestRecorder: Sendable {
    struct Record {
        let method: String
        let start: ContinuousClock.Instant
        let running: Meter
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

    func begin(_ method: HTTPRequest.Method) -> Record {
        let name = Self.label(method)
        let running = handles.withLock { handles in
            var entry =
                handles.running[name]
                ?? (Meter(label: "http_requests_in_progress", dimensions: [("method", name)]), 0)
            entry.count += 1
            entry.meter.set(entry.count)
            handles.running[name] = entry
            return entry.meter
        }
        return Record(method: name, start: .now, running: running)
    }

    /// Ends a request; `route` is its template, nil where none matched.
    func end(_ record: Record, route: String?, status: Int) {
        let duration = record.start.duration(to: .now)
        let key = Key(route: route ?? "__unmatched__", method: record.method, code: status)
        let (counter, timer) = handles.withLock { handles in
            if var entry = handles.running[record.method] {
                entry.count -= 1
                entry.meter.set(entry.count)
                handles.running[record.method] = entry
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
