import Foundation
import Hummingbird
import Metrics
import WhorlClient
import WhorlClientHummingbird
import WhorlTelemetry

/// A small shop that reports its errors to Whorl and exposes its metrics to Prometheus.
///
///     WHORL_DSN=http://KEY@127.0.0.1:8000/1 PORT=8080 swift run
///     curl -i http://127.0.0.1:8080/orders/17        # fails, and is reported
///     curl -s http://127.0.0.1:8080/metrics
@main
struct Shop {
    static func main() async throws {
        let registry = MetricsRegistry()
        MetricsSystem.bootstrap(TelemetryMetricsFactory(registry: registry))
        Whorl.start(release: "shop@1.4.2")

        // A metric of the application, in addition to the request metrics.
        let sold = Counter(label: "shop_orders_total")

        let router = Router()
        router.add(middleware: WhorlMiddleware())
        router.get("/health") { _, _ in "ok" }
        router.get("/metrics") { request, _ in
            let format = ExpositionFormat(accept: request.headers[.accept])
            return Response(
                status: .ok,
                headers: [.contentType: format.contentType],
                body: .init(byteBuffer: ByteBuffer(string: registry.render(format)))
            )
        }
        router.get("/orders/:id") { _, context in
            let id = try context.parameters.require("id", as: Int.self)
            Whorl.configureScope {
                $0.tags["checkout"] = "card"
                $0.user = User(id: "42")
                $0.contexts["order"] = ["number": .int(id)]
            }
            Whorl.addBreadcrumb("looked up order \(id)", category: "database")
            let price = try await charge(order: id)
            sold.increment()
            return "charged \(price)"
        }

        let port = ProcessInfo.processInfo.environment["PORT"].flatMap { Int($0) } ?? 8_080
        let app = Application(
            router: router,
            configuration: .init(address: .hostname("127.0.0.1", port: port)),
            onServerRunning: { channel in
                FileHandle.standardError.write(Data("shop listens on port \(channel.localAddress?.port ?? 0)\n".utf8))
            }
        )
        try await app.runService()
        await Whorl.flush(timeout: .seconds(5))
    }
}

enum OrderError: Error {
    case outOfStock(order: Int)
}

/// Fails for odd order numbers.
func charge(order id: Int) async throws -> Int {
    guard id.isMultiple(of: 2) else { throw OrderError.outOfStock(order: id) }
    return id * 10
}
