import Foundation
import WhorlProtocol

/// The HTTP request of an event; its various input formats become lists of pairs (protocol facts, section 4.3).
enum RequestShape {
    static func json(_ node: JSONNode) -> JSON {
        let url = node.member("url")?.string
        let bare = url.map { String($0.prefix { $0 != "?" && $0 != "#" }) }
        var query = pairs(node.member("query_string"))
        if query.isEmpty, let url, let mark = url.firstIndex(of: "?") {
            query = parsed(String(url[url.index(after: mark)...].prefix { $0 != "#" }), separator: "&")
        }
        let headers = pairs(node.member("headers")).map { (canonical($0.0), $0.1) }
        var cookies = pairs(node.member("cookies"), separator: ";")
        if cookies.isEmpty, case .string(let text)? = headers.first(where: { $0.0 == "Cookie" })?.1 {
            cookies = parsed(text, separator: ";")
        }
        return [
            "method": .optional(node.member("method")?.string), "url": .optional(bare), "query": list(query),
            "data": node.member("data").map(JSON.init) ?? nil, "headers": list(headers), "cookies": list(cookies),
            "env": node.member("env").map(JSON.init) ?? nil, "fragment": .optional(node.member("fragment")?.string),
            "inferredContentType": .optional(node.member("inferred_content_type")?.string),
        ]
    }

    private static func list(_ pairs: [(String, JSON)]) -> JSON { .array(pairs.map { [.string($0.0), $0.1] }) }

    /// Reads pairs from an object, a list of pairs, or a string of `name=value` parts.
    private static func pairs(_ node: JSONNode?, separator: Character = "&") -> [(String, JSON)] {
        guard let node else { return [] }
        if node.isObject { return node.members.map { ($0.key.string ?? "", joined($0.value)) } }
        if node.isArray {
            return node.elements.compactMap { element in
                let pair = Array(element.elements.prefix(2))
                guard pair.count == 2, let name = pair[0].string else { return nil }
                return (name, joined(pair[1]))
            }
        }
        return parsed(node.string ?? "", separator: separator)
    }

    /// The JSON of a value; a list of strings is joined as in a header.
    private static func joined(_ node: JSONNode) -> JSON {
        guard node.isArray else { return JSON(node) }
        return .string(node.elements.map { $0.string ?? JSON($0).text }.joined(separator: ","))
    }

    private static func parsed(_ text: String, separator: Character) -> [(String, JSON)] {
        let trimmed = text.hasPrefix("?") ? text.dropFirst() : text[...]
        return trimmed.split(separator: separator).prefix(200)
            .map { part in
                let sides = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
                    .map { QueryString.decoded(String($0).trimmingCharacters(in: .whitespaces)) }
                return (sides[0], .string(sides.count > 1 ? sides[1] : ""))
            }
    }

    private static func canonical(_ name: String) -> String {
        name.split(separator: "-", omittingEmptySubsequences: false)
            .map { $0.prefix(1).uppercased() + $0.dropFirst().lowercased() }.joined(separator: "-")
    }
}
