import CWhorlCrypto
import WhorlProtocol

/// Digests from the libcrypto of the system.
public enum Digest {
    /// The 16 bytes of MD5, which identify groups and users as in Sentry; this is not a security feature.
    public static func md5(_ text: String) -> [UInt8] { digest(Array(text.utf8), EVP_md5(), 16) }

    /// The 32 bytes of SHA-256, for secrets.
    public static func sha256(_ text: String) -> [UInt8] { digest(Array(text.utf8), EVP_sha256(), 32) }

    private static func digest(_ bytes: [UInt8], _ type: OpaquePointer?, _ size: Int) -> [UInt8] {
        var result = [UInt8](repeating: 0, count: size)
        var length = UInt32(size)
        let done = EVP_Digest(bytes, bytes.count, &result, &length, type, nil)
        precondition(done == 1, "libcrypto failed to compute a digest")
        return result
    }
}
