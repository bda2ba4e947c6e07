import NIOCore
import Synchronization

/// The encoded description of the API, cached because anybody may request it.
final class OpenAPIText: Sendable {
    private let made = Mutex<(publicURL: String, bytes: ByteBuffer)?>(nil)

    /// The encoded document; the URL changes only while the collector starts.
    func bytes(publicURL: String) -> ByteBuffer {
        made.withLock { made in
            if let made, made.publicURL == publicURL { return made.bytes }
            let bytes = ByteBuffer(bytes: OpenAPI.document(publicURL: publicURL).encoded())
            made = (publicURL, bytes)
            return bytes
        }
    }
}
