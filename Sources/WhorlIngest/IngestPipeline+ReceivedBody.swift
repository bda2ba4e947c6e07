extension IngestPipeline {
    /// Reserves memory for a body that grows to `bytes` bytes while it arrives; returns a refusal if it may not grow.
    ///
    /// The first call for a request looks up its key: a sender without a known key gets little memory.
    package func reserve(
        _ bytes: Int,
        for request: IngestRequest,
        in reservation: MemoryReservation,
        isFirst: Bool
    ) async -> IngestRefusal? {
        do throws(IngestRefusal) {
            if isFirst {
                if let key = try await authorizer.key(of: request) {
                    try authorizer.check(key, request)
                    reservation.add(.project(key.info.projectID))
                } else if bytes > limits.unknownSenderBytes {
                    // Only the body contains the key, and that key may not exist.
                    throw .tooLarge("the body is too large for a request without credentials in its head")
                } else {
                    reservation.add(.unknown)
                }
            }
            guard await reservation.grow(to: bytes) else { throw .unavailable }
            return nil
        } catch {
            return error
        }
    }
}
