import WhorlStore

/// Runs an administrative change and converts its errors to ``APIError``.
func withAPIErrors<Value>(_ body: () async throws -> Value) async throws -> Value {
    do {
        return try await body()
    } catch AdministrationError.invalid(let detail) {
        throw APIError.badRequest(detail)
    } catch AdministrationError.conflict(let detail) {
        throw APIError(status: .conflict, detail: detail)
    } catch AdministrationError.notFound {
        throw APIError.notFound
    }
}
