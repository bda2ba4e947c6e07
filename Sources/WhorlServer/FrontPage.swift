import HTTPTypes
import Hummingbird
import NIOCore

/// The page `/`, with links to the API, health and metrics.
enum FrontPage {
    static func add<Context: RequestContext>(to router: Router<Context>) {
        router.get("/") { _, _ in
            Response(
                status: .ok,
                headers: [
                    .contentType: "text/html; charset=utf-8",
                    .contentSecurityPolicy: "default-src 'none'; style-src 'none'; frame-ancestors 'none'",
                    .xContentTypeOptions: "nosniff",
                ],
                body: .init(byteBuffer: ByteBuffer(string: html))
            )
        }
    }

    private static let html = """
        <!doctype html>
        <html lang="en">
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width">
        <title>Whorl</title>
        <h1>Whorl</h1>
        <p>An error tracker that is compatible with the Sentry protocol.</p>
        <ul>
        <li><a href="/api/0/">JSON API</a> (<a href="/api/0/openapi.json">its description</a>)</li>
        <li><a href="/health">Health</a>, <a href="/readyz">readiness</a>, <a href="/livez">liveness</a></li>
        <li><a href="/metrics">Metrics for Prometheus</a></li>
        </ul>
        </html>

        """
}
