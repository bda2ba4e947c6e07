import Hummingbird

/// Bounds the requests of the API that are answered at once, for each token and in all.
///
/// A request holds a place of its token until the peer has taken the answer, as far as it is larger than what a socket
/// buffers, so that a slow reader holds up only the requests of the same token. While the request is worked on it also
/// holds one of the places for work, so that many tokens together do not take more memory than a few answers.
struct RequestGates: Sendable {
    /// Requests of a token whose body is read, that are at work, or whose answer is being read.
    static let perToken = 2
    /// Requests of a token that wait.
    static let waitingPerToken = 16
    /// Requests of all tokens that are at work.
    static let atWork = 6
    /// Requests of all tokens that wait for work.
    static let waitingForWork = 200

    /// Searches of all tokens that look at more than the issues themselves, each of which keeps a core of Postgres busy.
    static let searches = 2
    /// Searches that wait.
    static let waitingSearches = 50

    private let searchGate = Gate<Bool>(places: searches, waitingPlaces: waitingSearches)
    private let tokens = Gate<Int>(places: perToken, waitingPlaces: waitingPerToken)
    private let work = Gate<Bool>(places: atWork, waitingPlaces: waitingForWork)

    /// A place among the requests of a token; throws ``APIError`` when too many wait or it takes too long.
    func enter(token: Int) async throws -> GatePlace {
        do { return try await tokens.enter(token) } catch { throw Self.answer(error, "of this token") }
    }

    /// A place for work; throws ``APIError`` when too many wait or it takes too long.
    func enterWork() async throws -> GatePlace {
        do { return try await work.enter(true) } catch { throw Self.answer(error, "of all tokens") }
    }

    /// A place for a search that takes long; throws ``APIError`` when too many wait or it takes too long.
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
    /// The same body, which holds a place for as long as somebody refers to it: until the answer is over.
    func holding(_ place: GatePlace) -> ResponseBody {
        ResponseBody(contentLength: contentLength) { [self] writer in
            defer { withExtendedLifetime(place) {} }
            try await write(writer)
        }
    }
}
