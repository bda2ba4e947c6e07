import WhorlIngest
import WhorlTelemetry

/// Counts and logs the requests that ``IngestChannelHandler`` answers, with cached metric handles.
package struct IngestRecorder: Sendable {
    /// The metric handles of a route.
    private struct Route: Sendable {
        let path: String
        let accepted: Counter
        let duration: Histogram

        init(_ route: IngestRequest.Route, _ recorder: RequestRecorder) {
            path = route.path
            accepted = recorder.requests.child(path, "POST", "200")
            duration = recorder.durations.child(path, "POST")
        }
    }

    private let envelope: Route
    private let store: Route
    private let recorder: RequestRecorder

    package init(_ recorder: RequestRecorder) {
        self.recorder = recorder
        envelope = Route(.envelope, recorder)
        store = Route(.store, recorder)
    }

    /// Counts an answered request; only refused ones are logged.
    func finished(_ route: IngestRequest.Route, _ status: Int, _ duration: Duration) {
        let handles = route == .envelope ? envelope : store
        handles.duration.observe(duration)
        if status == 200 {
            handles.accepted.increment()
        } else {
            recorder.requests.child(handles.path, "POST", String(status)).increment()
        }
        recorder.log(route: handles.path, method: "POST", status: status, duration: duration, isQuiet: status == 200)
    }
}
