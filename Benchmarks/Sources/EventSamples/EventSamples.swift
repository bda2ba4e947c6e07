/// Synthetic events as applications send them; the same number gives the same event.
public enum EventSamples {
    /// A short event: one exception with three frames, about 1 KB.
    public static func small(issue: Int) -> String {
        """
        {"level":"error","platform":"python","environment":"production","release":"shop@1.4.\(issue % 5)",\
        "user":{"id":"\(issue % 97)"},"tags":{"checkout":"card"},"exception":{"values":[{"type":"Fault\(issue)",\
        "value":"order \(issue * 7) failed","mechanism":{"type":"generic","handled":true},"stacktrace":{"frames":[\
        \((0..<3).map { frame($0, issue, lines: 1) }.joined(separator: ","))]}}]}}
        """
    }

    /// A typical event of a web application: 26 frames with source and variables, breadcrumbs, contexts; about 33 KB.
    public static func typical(issue: Int) -> String {
        let frames = (0..<26).map { frame($0, issue, lines: 5) }.joined(separator: ",")
        let crumbs = (0..<40)
            .map { index in
                """
                {"timestamp":"2026-11-20T10:00:\(10 + index).000000Z","type":"default","category":"query","level":"info",\
                "message":"SELECT id, total, currency FROM orders WHERE customer = \(index * 31 + issue) AND state = 'open'",\
                "data":{"duration_ms":\(index * 3 + 1),"rows":\(index)}}
                """
            }
            .joined(separator: ",")
        let modules = (0..<60).map { "\"package-\($0)\":\"\($0 % 9).\($0 % 7).\($0 % 5)\"" }.joined(separator: ",")
        return """
            {"level":"error","platform":"python","environment":"production","release":"shop@1.4.\(issue % 5)",\
            "server_name":"web-\(issue % 8)","transaction":"/orders/{id}/pay","user":{"id":"\(issue % 977)",\
            "email":"user\(issue % 977)@example.com"},"tags":{"checkout":"card","region":"eu-\(issue % 3)"},\
            "request":{"method":"POST","url":"https://shop.example.com/orders/\(issue)/pay","query_string":"coupon=spring",\
            "headers":{"User-Agent":"Mozilla/5.0 (X11; Linux x86_64)","Accept":"text/html"}},\
            "contexts":{"runtime":{"name":"CPython","version":"3.11.2"},"os":{"name":"Linux","version":"6.1"}},\
            "modules":{\(modules)},"breadcrumbs":{"values":[\(crumbs)]},"exception":{"values":[{"type":"PaymentError",\
            "module":"shop.payment","value":"payment of order \(issue * 13) was refused","mechanism":{"type":"django",\
            "handled":false},"stacktrace":{"frames":[\(frames)]}}]}}
            """
    }

    private static func frame(_ depth: Int, _ issue: Int, lines: Int) -> String {
        let isOwn = depth % 3 == 0
        let place = isOwn ? "shop/module\(depth)_\(issue).py" : "framework/layer\(depth).py"
        func source(_ offset: Int) -> String {
            "\"        result\(offset) = self.handle_\(depth)_\(offset)(request, *arguments, timeout=\(offset * 10))\""
        }
        let before = (0..<lines).map(source).joined(separator: ",")
        let after = (lines..<lines * 2).map(source).joined(separator: ",")
        return """
            {"filename":"\(place)","abs_path":"/srv/app/\(place)","function":"handle_\(depth)","module":"\(isOwn ? "shop" : "framework").m\(depth)",\
            "lineno":\(100 + depth),"pre_context":[\(before)],"context_line":"    return self.step_\(depth)_\(isOwn ? issue : 0)(value)",\
            "post_context":[\(after)],"vars":{"self":"<Handler at 0x7f\(depth)>","value":"'\(depth * issue)'","depth":"\(depth)"},\
            "in_app":\(isOwn)}
            """
    }
}
