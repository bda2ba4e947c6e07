import Foundation

/// Decodes bodies of `/store/` that legacy clients encode without declaring it: base64, and zlib inside it.
enum LegacyBody {
    /// The decoded bytes of the event; a body that is not base64 is returned unchanged, so that the parser rejects it.
    static func unwrapped(_ body: [UInt8], limit: Int) throws(Inflate.Failure) -> [UInt8] {
        guard let first = body.first(where: { $0 > 0x20 }), first != UInt8(ascii: "{"), first < 0x80 else {
            return body
        }
        // In a query string, `+` is decoded as a space.
        let text = String(decoding: body, as: UTF8.self).replacingOccurrences(of: " ", with: "+")
        guard let data = Data(base64Encoded: text, options: .ignoreUnknownCharacters), !data.isEmpty else {
            return body
        }
        let decoded = Array(data)
        if decoded.first == UInt8(ascii: "{") { return decoded }
        return try Inflate.decode(decoded, .deflate, limit: limit)
    }
}
