import Foundation
import HTTPTypes
import Hummingbird
import NIOCore
import WhorlIngest
import WhorlProtocol

/// What is asked of the paths of ingest besides bringing events, which is the lane's: preflights of browsers, and events in the
/// address of an image.
package struct IngestRoutes: Sendable {
    private let handler: IngestHandler
    private let proxies: TrustedProxies

    package init(handler: IngestHandler, proxies: TrustedProxies) {
        self.handler = handler
        self.proxies = proxies
    }

    /// Adds the routes; both forms of each path work, with and without the slash at its end, and nothing is redirected.
    package func add<Context: RemoteAddressRequestContext>(to router: Router<Context>) {
        let methods: [HTTPRequest.Method] = [.get, .options]
        let paths: [(RouterPath, IngestRequest.Route)] = [
            ("/api/:project/envelope", .envelope), ("/api/:project/store", .store), ("/api/store", .store),
        ]
        for method in methods {
            for (path, route) in paths {
                router.on(path, method: method) { request, context in
                    await answer(route, request, context)
                }
            }
        }
    }

    private func answer(
        _ route: IngestRequest.Route,
        _ request: Request,
        _ context: some RemoteAddressRequestContext
    ) async -> Response {
        if request.method == .options { return Self.preflight() }
        guard route == .store else {
            var refusal = IngestRefusal(status: 405, detail: "method not allowed")
            refusal.allowed = "POST, OPTIONS"
            return Self.response(refusal.answer)
        }
        var headers: [String: String] = [:]
        for field in request.headers { headers[field.name.canonicalName] = field.value }
        var query: [String: String] = [:]
        for (key, value) in request.uri.queryParameters where query[String(key)] == nil {
            query[String(key)] = String(value)
        }
        let peer = context.remoteAddress?.ipAddress
        let answer = await handler.handle(
            IngestRequest(
                route: route,
                projectID: context.parameters.get("project"),
                isGet: true,
                headers: headers,
                query: query,
                body: ReceivedBody(),
                clientAddress: proxies.client(peer: peer, forwardedFor: headers["x-forwarded-for"]),
                receivedAt: Date(),
                arrived: .now
            )
        )
        return answer.status == 200 ? Self.pixel() : Self.response(answer)
    }

    // MARK: - Responses

    private static func response(_ answer: IngestAnswer) -> Response {
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

    /// One transparent pixel: antique browsers send events as the address of an image.
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
