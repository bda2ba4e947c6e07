import Foundation
import HTTPTypes
import WhorlStore

/// The `Link` header for the pages of a list (protocol facts, section 7).
enum Pagination {
    /// The value of the header; both links are always present, and `results` says whether their page has elements.
    static func link<Element>(_ page: Page<Element>, _ request: APIRequest) -> String {
        [("previous", page.previous, page.hasPrevious), ("next", page.next, page.hasNext)]
            .map { relation, cursor, hasResults in
                "<\(url(request, cursor.text))>; rel=\"\(relation)\"; results=\"\(hasResults)\"; cursor=\"\(cursor.text)\""
            }
            .joined(separator: ", ")
    }

    /// The URL of the same request with another cursor; all other parameters are kept.
    private static func url(_ request: APIRequest, _ cursor: String) -> String {
        let path = request.url.prefix { $0 != "?" }
        let rest = request.query.filter { $0.name != "cursor" }.map { "\(encoded($0.name))=\(encoded($0.value))" }
        return request.services.publicURL() + path + "?" + (rest + ["cursor=\(encoded(cursor))"]).joined(separator: "&")
    }

    private static func encoded(_ text: String) -> String {
        var allowed = CharacterSet.alphanumerics
        allowed.insert(charactersIn: "-._~:")
        return text.addingPercentEncoding(withAllowedCharacters: allowed) ?? ""
    }
}

extension HTTPField.Name {
    /// RFC 8288.
    static let link: HTTPField.Name = {
        guard let name = HTTPField.Name("Link") else { preconditionFailure("Link is a valid name") }
        return name
    }()
}
