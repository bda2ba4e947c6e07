/// Recognises paths, files and routes.
extension ValueScanner {
    static let roots: Set<String> = [
        "home", "Users", "var", "tmp", "srv", "opt", "usr", "etc", "app", "mnt", "data", "root", "private", "workspace",
        "build", "builds", "run", "dev", "proc", "bin", "lib", "Library", "Applications", "storage", "code", "www",
    ]

    /// Whether a path is a file path and not a URL path: checks the root, the drive and the file extension.
    func isFile(_ end: Int) -> Bool {
        let parts = bytes[at..<end].split { $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: "\\") }
        if bytes[at] == UInt8(ascii: "~") || byte(at + 1) == UInt8(ascii: ":") { return true }
        guard bytes[at] == UInt8(ascii: "/"), let first = parts.first, let last = parts.last else { return false }
        return Self.roots.contains(String(decoding: first, as: UTF8.self)) || last.contains(UInt8(ascii: "."))
    }

    /// Copies a URL path and replaces the parts that are numbers, hashes or ids.
    mutating func routes(_ end: Int) {
        var part: [UInt8] = []
        func flush() {
            let digits = part.count(where: NameScanner.isDigit)
            let isValue = digits > 0 && (digits == part.count || part.count >= 6 && digits >= 2)
            result += isValue ? Array("<num>".utf8) : part
            part = []
        }
        for byte in bytes[at..<end] {
            if byte == UInt8(ascii: "/") {
                flush()
                result.append(byte)
            } else {
                part.append(byte)
            }
        }
        flush()
        at = end
        lastWord = []
    }

    /// The end of a path with at least two separators, such as `/srv/app/config.yml`, `./x/y` or `C:\data\x`.
    func path(_ before: UInt8) -> Int? {
        var start = at
        if NameScanner.isLetter(bytes[at]), byte(at + 1) == UInt8(ascii: ":"), byte(at + 2) == UInt8(ascii: "\\") {
            start = at + 2
        } else if bytes[at] == UInt8(ascii: "."), byte(at + 1) == UInt8(ascii: "/") {
            start = at + 1
        } else if bytes[at] == UInt8(ascii: "~"), byte(at + 1) == UInt8(ascii: "/") {
            start = at + 1
        } else if bytes[at] != UInt8(ascii: "/") || before == UInt8(ascii: "/") || before == UInt8(ascii: ">") {
            return nil
        }
        var separators = 0
        var end = start
        let bound = min(bytes.count, start + 1_024)
        while end < bound {
            let byte = bytes[end]
            if byte == UInt8(ascii: "/") || byte == UInt8(ascii: "\\") {
                separators += 1
            } else if !(NameScanner.isWord(byte) || ".-+@~%#$:".utf8.contains(byte)) {
                break
            }
            end += 1
        }
        while end > start, ".:".utf8.contains(bytes[end - 1]) { end -= 1 }
        return separators >= 2 && end - start > 4 ? end : nil
    }
}
