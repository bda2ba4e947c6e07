import HTTPTypes
import Hummingbird
import NIOCore
import WhorlIngest
import WhorlProtocol

/// The ingest routes that the router answers: preflight requests of browsers, and events in the query of a GET.
///
/// ``IngestChannelHandler`` answers the other methods before they reach the router.
package struct IngestRoutes: Sendable {
    private let pipeline: IngestPipeline
    private let proxies: TrustedProxies

    package init(pipeline: IngestPipeline, proxies: TrustedProxies) {
        self.pipeline = pipeline
        self.proxies = proxies
    }

    /// Adds the routes; each path works with and without a trailing slash, without a redirect.
    package func add<Context: RemoteAddressRequestContext>(to router: Router<Context>) {
        let methods: [HTTPRequest.Method] = [.get, .options]
        let paths: [RouterPath] = ["/api/:project/envelope", "/api/:project/store", "/api/store"]
        for method in methods {
            for path in paths {
                router.on(path, method: method) { request, context in await answer(request, context) }
            }
        }
    }

    private func answer(_ request: Request, _ context: some RemoteAddressRequestContext) async -> Response {
        if request.method == .options { return Self.preflight() }
        let peer = context.remoteAddress?.ipAddress
        guard let head = IngestRequestHead(request.head, peer: peer, proxies), head.route == .store else {
            return Self.response(
                IngestRefusal.methodNotAllowed(IngestRequest.Route.envelope.allowedMethods).answer
            )
        }
        let answer = await pipeline.answer(head.request())
        return answer.status == 200 ? Self.pixel() : Self.response(answer)
    }

    // MARK: - Responses

    private static func response(_ answer: IngestResponse) -> Response {
        Response(
            status: .init(code: answer.status),
            headers: IngestHeaders.fields(of: answer),
            body: .init(byteBuffer: ByteBuffer(bytes: answer.body.encoded()))
        )
    }

    private static func preflight() -> Response {
        var response = Response(status: .noContent)
        IngestHeaders.addOrigin(&response.headers)
        response.headers[.accessControlAllowMethods] = "POST"
        response.headers[.accessControlAllowHeaders] =
            "x-sentry-auth, x-requested-with, x-forwarded-for, origin, referer, accept, content-type, authentication, "
            + "authorization, content-encoding, transfer-encoding"
        response.headers[.accessControlMaxAge] = "3600"
        return response
    }

    /// A GIF of one transparent pixel, for old browsers that send an event in the URL of an image.
    private static func pixel() -> Response {
        let gif: [UInt8] = [
            0x47, 0x49, 0x46, 0x38, 0x39, 0x61, 1, 0, 1, 0, 0x80, 0, 0, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0x21, 0xF9, 4, 1, 0,
            0, 0, 0, 0x2C, 0, 0, 0, 0, 1, 0, 1, 0, 0, 2, 2, 0x44, 1, 0, 0x3B,
        ]
        var response = Response(
            status: .ok,
            headers: [.contentType: "image/gif"],
            body: .init(byteBuffer: ByteBuffer(bytes: gif))
        )
        IngestHeaders.addOrigin(&response.headers)
        return response
    }
}
