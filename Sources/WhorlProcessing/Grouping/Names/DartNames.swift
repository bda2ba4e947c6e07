/// Cleans names of Dart.
enum DartNames {
    /// The function name without the library numbers of private names.
    ///
    /// `Cart.total.<anonymous closure>.<fn>` becomes `Cart.total.<fn>`.
    static func function(_ name: String) -> String {
        var text = name
        var isClosure = false
        for mark in [".<anonymous closure>", ".<fn>"] where text.has(mark) {
            isClosure = true
            text = text.replacing(mark, with: "")
        }
        if text == "<anonymous closure>" || text == "<fn>" { return "<fn>" }
        if text.hasPrefix("new ") { text = String(text.dropFirst(4)) }
        if text.hasByte("@") {
            var scanner = NameScanner(text)
            var result: [UInt8] = []
            var at = 0
            while at < scanner.bytes.count {
                if scanner.bytes[at] == UInt8(ascii: "@") {
                    at += 1
                    while at < scanner.bytes.count, NameScanner.isDigit(scanner.bytes[at]) { at += 1 }
                } else {
                    result.append(scanner.bytes[at])
                    at += 1
                }
            }
            scanner.bytes = result
            text = scanner.text
        }
        var scanner = NameScanner(text)
        scanner.dropBracketed(UInt8(ascii: "<"), UInt8(ascii: ">"))
        text = scanner.text
        return isClosure ? "\(text).<fn>" : text
    }
}
