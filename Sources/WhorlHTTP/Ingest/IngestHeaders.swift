import HTTPTypes
import WhorlIngest

/// The headers of every ingest response; browsers may read them from any origin.
enum IngestHeaders {
    static func fields(of answer: IngestResponse) -> HTTPFields {
        var fields: HTTPFields = [.contentType: "application/json"]
        for (name, value) in answer.headers {
            if let name = HTTPField.Name(name) { fields[name] = value }
        }
        addOrigin(&fields)
        return fields
    }

    static func addOrigin(_ fields: inout HTTPFields) {
        fields[.accessControlAllowOrigin] = "*"
        fields[.accessControlExposeHeaders] = "x-sentry-error, x-sentry-rate-limits, retry-after"
    }
}
