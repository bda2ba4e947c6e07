import Foundation

/// Bodies of `/store/` that antique clients wrap without saying so: base64, and zlib inside it.
enum LegacyBody {
    /// The event's bytes; what is not base64 is returned as it is, for the parser to judge.
    static func unwrapped(_ body: [UInt8], limit: Int) throws(Inflate.Failure) -> [UInt8] {
        guard let first = body.first(where: { $0 > 0x20 }), first != UInt8(ascii: "{"), first < 0x80 else {
            return body
        }
        // In a query string `+` arrives as a blank.
        let text = String(decoding: body, as: UTF8.self).replacingOccurrences(of: " ", with: "+")
        guard let data = Data(base64Encoded: text, options: .ignoreUnknownCharacters), !data.isEmpty else {
            return body
        }
        let decoded = Array(data)
        if decoded.first == UInt8(ascii: "{") { return decoded }
        return try Inflate.decode(decoded, .deflate, limit: limit)
    }
}
