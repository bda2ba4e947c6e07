/// Cleans names of Ruby, whose form of blocks, rescues and quoted labels differs between versions.
enum RubyNames {
    /// The method name: `rescue in total`, `Order#total` and `Order.total` become `total`.
    ///
    /// `block (2 levels) in total` becomes `block in total`.
    static func function(_ name: String) -> String? {
        guard name.hasByte(" #.:<_'`") || name.hasDigit() else { return name }
        var text = name[...]
        while let first = text.first, first == "'" || first == "`" { text = text.dropFirst() }
        while let last = text.last, last == "'" { text = text.dropLast() }
        var isBlock = false
        var isChanged = true
        while isChanged {
            isChanged = false
            for prefix in ["block in ", "rescue in ", "ensure in "] where text.hasPrefix(prefix) {
                isBlock = isBlock || prefix == "block in "
                text = text.dropFirst(prefix.count)
                isChanged = true
            }
            if text.hasPrefix("block ("), let end = text.firstRange(of: ") in ") {
                isBlock = true
                text = text[end.upperBound...]
                isChanged = true
            }
        }
        // Ruby 3.4 adds the class: Order#total, Shop::Order.total.
        if let mark = text.lastIndex(where: { $0 == "#" || $0 == "." }), !text.hasPrefix("<") {
            let rest = text[text.index(after: mark)...]
            if !rest.isEmpty { text = rest }
        }
        if text.hasPrefix("<top (required)>") || text.hasPrefix("<main>") { text = "<main>" }
        // Templates: _app_views_orders_show_html_erb___1234567890_70123.
        var scanner = NameScanner(String(text))
        if scanner.hasPrefix("_app_") || scanner.has("_erb__") || scanner.has("_haml__") || scanner.has("_slim__") {
            scanner.dropSuffix { NameScanner.isDigit($0) || $0 == UInt8(ascii: "_") || $0 == UInt8(ascii: "-") }
        }
        // Methods that define_method or delegation creates may contain object ids.
        if scanner.has("__") { scanner.replaceNumbers(after: [UInt8(ascii: "_")]) }
        let result = scanner.text
        return isBlock ? "block in \(result)" : result
    }
}
