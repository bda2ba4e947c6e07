import Foundation
import Testing
import WhorlIngest
import WhorlProtocol
import WhorlTestSupport

@Suite("Captured JSON")
struct CapturedJSONTests {
    @Test("Whorl and Foundation read every JSON text of the captured requests alike")
    func differential() throws {
        var compared = 0
        for capture in try Capture.all() where !capture.body.isEmpty {
            let coding = try Inflate.Coding(header: capture.header("content-encoding"))
            let body = try Inflate.decode(capture.body, coding, limit: 10 << 20)
            for line in body.split(separator: 0x0A)
            where line.first == UInt8(ascii: "{") || line.first == UInt8(ascii: "[") {
                // Foundation rejects lone surrogates; a text that it rejects cannot be compared.
                guard let theirs = try? JSONSerialization.jsonObject(with: Data(line)) else { continue }
                let ours = JSON(try JSONDocument(Array(line)).root)
                #expect(sameValue(ours, theirs), "\(capture.name)")
                compared += 1
            }
        }
        #expect(compared > 400)
    }
}
