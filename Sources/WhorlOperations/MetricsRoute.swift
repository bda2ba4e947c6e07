import HTTPTypes
import Hummingbird
import NIOCore
import WhorlTelemetry

/// The route `/metrics`, in the format that the scraper requests, protected by a bearer token if one is set.
package struct MetricsRoute: Sendable {
    private let text: MetricsText
    private let token: String?

    package init(registry: MetricsRegistry, token: String?) {
        text = MetricsText(registry: registry)
        self.token = token
    }

    package func add<Context: RequestContext>(to router: Router<Context>) {
        for method in [HTTPRequest.Method.get, .head] {
            router.on("/metrics", method: method) { request, _ in await respond(to: request) }
        }
    }

    private func respond(to request: Request) async -> Response {
        if let token {
            guard request.headers[.authorization].map({ isEqual($0, "Bearer \(token)") }) ?? false else {
                return Response(status: .unauthorized, headers: [.wwwAuthenticate: "Bearer"])
            }
        }
        let format = ExpositionFormat(accept: request.headers[.accept])
        return Response(
            status: .ok,
            headers: [.contentType: format.contentType, .vary: "Accept", .cacheControl: "no-store"],
            body: .init(byteBuffer: await text.text(format))
        )
    }

    /// Compares in constant time, so that the duration does not reveal how much of a secret is correct.
    private func isEqual(_ left: String, _ right: String) -> Bool {
        guard left.utf8.count == right.utf8.count else { return false }
        return zip(left.utf8, right.utf8).reduce(0) { $0 | ($1.0 ^ $1.1) } == 0
    }
}
