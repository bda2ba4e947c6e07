import Foundation
import HTTPTypes
import Hummingbird
import NIOCore
import WhorlPostgres
import WhorlProcessing
import WhorlProtocol
import WhorlStore
import WhorlThreads

/// The JSON API below `/api/0/`, in the format of Sentry.
package struct APIRoutes: Sendable {
    /// Maximum size of a request body; requests to the API are small.
    private static let maxBodyBytes = 1 << 20

    private let services: APIServices

    package init(
        pool: PostgresPool,
        codec: PayloadCodec,
        rules: GroupingRules,
        publicURL: @escaping @Sendable () -> String,
        projectCreated: @escaping @Sendable (String, String) -> Void
    ) {
        services = APIServices(
            administration: Administration(pool: pool),
            issues: IssueQueries(pool: pool),
            events: EventQueries(pool: pool, codec: codec),
            tags: TagQueries(pool: pool),
            outcomes: OutcomeQueries(pool: pool),
            merging: IssueMerging(pool: pool),
            trial: GroupingTrial(pool: pool, codec: codec, thread: WorkThread(name: "trial")),
            regroup: RegroupJobs(pool: pool),
            gates: RequestGates(),
            worker: WorkThread(name: "api"),
            rules: rules,
            publicURL: publicURL,
            projectCreated: projectCreated
        )
    }

    /// All operations of the API.
    package static let endpoints: [Endpoint] =
        RootRoutes.endpoints + OrganizationRoutes.endpoints + ProjectRoutes.endpoints + KeyRoutes.endpoints
        + IssueListRoutes.endpoints + IssueRoutes.endpoints + EventRoutes.endpoints + LookupRoutes.endpoints
        + FilterRoutes.endpoints + StatsRoutes.endpoints + GroupingRoutes.endpoints

    package func add<Context: RequestContext>(to router: Router<Context>) {
        for endpoint in Self.endpoints {
            // The router accepts the path with and without the trailing slash.
            let path =
                "/api/0"
                + endpoint.path.replacingOccurrences(of: "{", with: ":")
                .replacingOccurrences(of: "}", with: "")
            router.on(RouterPath(path), method: endpoint.method) { request, context in
                try await answer(endpoint, request, context)
            }
        }
        let description = OpenAPIText()
        router.get("/api/0/openapi.json") { _, _ in
            await response(.encoded(description.bytes(publicURL: services.publicURL())))
        }
    }

    private func answer(
        _ endpoint: Endpoint,
        _ request: Request,
        _ context: some RequestContext
    ) async throws -> Response {
        let grant = try await grant(of: request)
        if let scope = endpoint.scope, !grant.allows(scope) { throw APIError.forbidden }
        var path: [String: String] = [:]
        for (name, value) in context.parameters {
            path[String(name)] = String(value).removingPercentEncoding ?? String(value)
        }
        let query = QueryString.parse(request.uri.query ?? "")
        guard query.count <= 1_100 else { throw APIError.badRequest("Too many parameters") }
        // A misspelled parameter must not be ignored: without it, the change could apply to everything.
        if endpoint.method != .get, let unknown = query.first(where: { !endpoint.query.contains($0.name) }) {
            let known = endpoint.query.isEmpty ? "none is" : endpoint.query.joined(separator: ", ") + " are"
            throw APIError.badRequest("Unknown parameter \(unknown.name.prefix(40)); \(known) supported")
        }
        let place = try await services.gates.enter(token: grant.id)
        let wanted = APIRequest(
            grant: grant,
            services: services,
            path: path,
            query: query,
            url: request.uri.string,
            body: try await body(of: request)
        )
        let work = try await services.gates.enterWork()
        defer { work.leave() }
        var response = await response(try await endpoint.handle(wanted))
        response.body = response.body.holding(place)
        return response
    }

    /// The token's grant, from `Authorization: Bearer TOKEN` or `Basic TOKEN:`.
    private func grant(of request: Request) async throws -> TokenGrant {
        guard let header = request.headers[.authorization], let token = Self.token(in: header),
            let grant = try await services.administration.token(token)
        else { throw APIError.unauthorized }
        return grant
    }

    private static func token(in header: String) -> String? {
        let parts = header.split(separator: " ", maxSplits: 1)
        guard parts.count == 2, parts[1].utf8.count <= 512 else { return nil }
        switch parts[0].lowercased() {
        case "bearer": return parts[1].trimmingCharacters(in: .whitespaces)
        case "basic":
            guard let data = Data(base64Encoded: String(parts[1])) else { return nil }
            return String(decoding: data, as: UTF8.self).split(separator: ":").first.map(String.init)
        default: return nil
        }
    }

    private func body(of request: Request) async throws -> JSON? {
        guard request.method != .get, request.method != .head else { return nil }
        let buffer: ByteBuffer
        do {
            buffer = try await request.body.collect(upTo: Self.maxBodyBytes)
        } catch is NIOTooManyBytesError {
            throw APIError(status: .contentTooLarge, detail: "The body is too large")
        }
        guard buffer.readableBytes > 0 else { return nil }
        do {
            return try await services.worker.run { JSON(try JSONDocument(Array(buffer: buffer)).root) }
        } catch {
            throw APIError.badRequest("JSON parse error - \(error)")
        }
    }

    private func response(_ answer: APIResponse) async -> Response {
        var response = Response(status: answer.status, headers: answer.headers)
        response.headers[.contentType] = "application/json"
        response.headers[.cacheControl] = "no-store"
        switch answer.body {
        case .none: break
        case .encoded(let bytes): response.body = .init(byteBuffer: bytes)
        case .list(let elements):
            let between = elements.flatMap { [ByteBuffer(string: ","), $0] }.dropFirst()
            response.body = .init(contentsOf: [ByteBuffer(string: "[")] + between + [ByteBuffer(string: "]")])
        case .json(let body):
            response.body = .init(byteBuffer: await services.worker.run { ByteBuffer(bytes: body.encoded()) })
        }
        return response
    }
}
