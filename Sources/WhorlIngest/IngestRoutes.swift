import Foundation
import HTTPTypes
import Hummingbird
import NIOCore
import WhorlProtocol

/// The HTTP side of ingest: takes requests apart, answers, and lets browsers read the answers of any origin.
package struct IngestRoutes: Sendable {
    private let handler: IngestHandler
    private let proxies: TrustedProxies

    package init(handler: IngestHandler, proxies: TrustedProxies) {
        self.handler = handler
        self.proxies = proxies
    }

    /// Adds the routes; both forms of each path work, with and without the slash at its end, and nothing is redirected.
    package func add<Context: RemoteAddressRequestContext>(to router: Router<Context>) {
        let methods: [HTTPRequest.Method] = [.get, .post, .put, .delete, .patch, .head, .options]
        for method in methods {
            router.on("/api/:project/envelope", method: method) { request, context in
                try await answer(.envelope, request, context)
            }
            router.on("/api/:project/store", method: method) { request, context in
                try await answer(.store, request, context)
            }
            router.on("/api/store", method: method) { request, context in
                try await answer(.store, request, context)
            }
        }
    }

    private func answer(
        _ route: IngestRequest.Route,
        _ request: Request,
        _ context: some RemoteAddressRequestContext
    ) async throws -> Response {
        let arrived = ContinuousClock.now
        let isGet = request.method == .get && route == .store
        if request.method == .options { return Self.preflight() }
        guard request.method == .post || isGet else {
            let refusal = IngestRefusal(status: 405, detail: "method not allowed")
            var response = Self.response(refusal.answer)
            response.headers[.allow] = route == .store ? "POST, GET, OPTIONS" : "POST, OPTIONS"
            return response
        }
        var headers: [String: String] = [:]
        for field in request.headers { headers[field.name.canonicalName] = field.value }
        if let length = headers["content-length"].flatMap({ Int($0) }), length > handler.maxBodyBytes {
            return Self.response(IngestRefusal.tooLarge("the body is too large").answer)
        }
        let body: ByteBuffer
        do {
            body = try await request.body.collect(upTo: handler.maxBodyBytes)
        } catch is NIOTooManyBytesError {
            return Self.response(IngestRefusal.tooLarge("the body is too large").answer)
        }
        var query: [String: String] = [:]
        for (key, value) in request.uri.queryParameters where query[String(key)] == nil {
            query[String(key)] = String(value)
        }
        let peer = context.remoteAddress?.ipAddress
        let ingest = IngestRequest(
            route: route,
            projectID: context.parameters.get("project"),
            isGet: isGet,
            headers: headers,
            query: query,
            body: Array(buffer: body),
            clientAddress: proxies.client(peer: peer, forwardedFor: headers["x-forwarded-for"]),
            receivedAt: Date(),
            arrived: arrived
        )
        let answer = await handler.handle(ingest)
        if isGet, answer.status == 200 { return Self.pixel() }
        return Self.response(answer)
    }

    // MARK: - Responses

    private static func response(_ answer: IngestAnswer) -> Response {
        var response = Response(
            status: .init(code: answer.status),
            headers: [.contentType: "application/json"],
            body: .init(byteBuffer: ByteBuffer(bytes: answer.body.encoded()))
        )
        for (name, value) in answer.headers {
            if let field = HTTPField.Name(name) { response.headers[field] = value }
        }
        addOrigin(&response)
        return response
    }

    private static func addOrigin(_ response: inout Response) {
        response.headers[.accessControlAllowOrigin] = "*"
        response.headers[.accessControlExposeHeaders] = "x-sentry-error, x-sentry-rate-limits, retry-after"
    }

    private static func preflight() -> Response {
        var response = Response(status: .noContent)
        addOrigin(&response)
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
        addOrigin(&response)
        return response
    }
}
