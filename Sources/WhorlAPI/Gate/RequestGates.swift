import Hummingbird

/// Limits the API requests that are processed at the same time, for each token and in total.
///
/// A request holds a place of its token until the peer has received the part of the response that the socket does not
/// buffer. So a slow reader delays only requests of the same token. During processing, a request also holds one of the
/// places for work, so that many tokens together use no more memory than a few responses.
struct RequestGates: Sendable {
    /// Requests of a token whose body is read, that are processed, or whose response is sent.
    static let perToken = 2
    /// Requests of a token that wait for a place.
    static let waitingPerToken = 16
    /// Requests of all tokens that are processed.
    static let atWork = 6
    /// Requests of all tokens that wait for processing.
    static let waitingForWork = 200

    /// Searches of all tokens that read more than the issues themselves; each one keeps a core of Postgres busy.
    static let searches = 2
    /// Searches that wait for a place.
    static let waitingSearches = 50

    private let searchGate = Gate<Bool>(places: searches, waitingPlaces: waitingSearches)
    private let tokens = Gate<Int>(places: perToken, waitingPlaces: waitingPerToken)
    private let work = Gate<Bool>(places: atWork, waitingPlaces: waitingForWork)

    /// Returns a place of the token; throws ``APIError`` if too many requests wait or the wait takes too long.
    func enter(token: Int) async throws -> GatePlace {
        do { return try await tokens.enter(token) } catch { throw Self.answer(error, "of this token") }
    }

    /// Returns a place for processing; throws ``APIError`` if too many requests wait or the wait takes too long.
    func enterWork() async throws -> GatePlace {
        do { return try await work.enter(true) } catch { throw Self.answer(error, "of all tokens") }
    }

    /// Returns a place for a slow search; throws ``APIError`` if too many requests wait or the wait takes too long.
    func enterSearch() async throws -> GatePlace {
        do { return try await searchGate.enter(true) } catch { throw Self.answer(error, "that search") }
    }

    private static func answer(_ refusal: GateRefusal, _ whose: String) -> APIError {
        switch refusal {
        case .full:
            APIError(
                status: .tooManyRequests,
                detail: "Too many requests \(whose) at once",
                headers: [.retryAfter: "1"]
            )
        case .late:
            APIError(
                status: .serviceUnavailable,
                detail: "Earlier requests \(whose) took too long",
                headers: [.retryAfter: "5"]
            )
        }
    }
}

extension ResponseBody {
    /// The same body, which holds a place until the response is sent.
    func holding(_ place: GatePlace) -> ResponseBody {
        ResponseBody(contentLength: contentLength) { [self] writer in
            defer { withExtendedLifetime(place) {} }
            try await write(writer)
        }
    }
}
