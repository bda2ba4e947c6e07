/// The 64-bit FNV-1a hash of a text's UTF-8 bytes.
///
/// It detects accidental changes and makes short names. It does not resist an attacker.
package func fnv1a(_ text: String) -> UInt64 {
    var hash: UInt64 = 0xCBF2_9CE4_8422_2325
    for byte in text.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
    return hash
}
