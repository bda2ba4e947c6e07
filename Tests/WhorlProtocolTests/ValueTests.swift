import Foundation
import Testing
import WhorlProtocol

@Suite("Protocol values")
struct ValueTests {
    @Test("A DSN is parsed into its parts")
    func dsn() throws {
        let plain = try #require(DSN("https://abc123@errors.example.com/42"))
        #expect(plain.publicKey == "abc123" && plain.port == 443 && plain.projectID == "42")
        #expect(plain.envelopeURL == "https://errors.example.com/api/42/envelope/")
        let full = try #require(DSN("http://abc:secret@[::1]:8000/some/prefix/7"))
        #expect(full.host == "[::1]" && full.port == 8_000 && full.pathPrefix == "some/prefix")
        #expect(full.envelopeURL == "http://[::1]:8000/some/prefix/api/7/envelope/")
        #expect(full.description == "http://abc@[::1]:8000/some/prefix/7")
        for bad in [
            "", "abc", "ftp://a@b/1", "http://b/1", "http://@b/1", "http://a@/1", "http://a@b", "http://a@b/",
            "http://a@b:0/1", "http://a b@c/1", "http://a@[::0080/1", "http://a@[]/1", "http://a@b:c:80/1",
        ] {
            #expect(DSN(bad) == nil, "\(bad)")
        }
    }

    @Test("An event id is 32 hexadecimal digits or a UUID; anything else is refused")
    func eventID() {
        let hex = "7f9d34a8c3b14a5e9d0d7f2b1c0e4a55"
        #expect(EventID(hex.uppercased())?.hex == hex)
        #expect(EventID("7F9D34A8-C3B1-4A5E-9D0D-7F2B1C0E4A55")?.hex == hex)
        for bad in [
            "", String(hex.dropLast()), hex + "0", "../../../../etc/passwd", "7f9d34a8c3b14a5e9d0d7f2b1c0e4a5g",
            "7f9d34a8c-3b14a5e9d0d7f2b1c0e4a55", String(repeating: "0", count: 32),
            String(repeating: "a", count: 1_000_000),
        ] {
            #expect(EventID(bad) == nil)
        }
    }

    @Test(
        "Timestamps are read in every form that SDKs use",
        arguments: [
            ("2026-11-20T10:00:00Z", 1_795_168_800.0), ("2026-11-20T10:00:00", 1_795_168_800),
            ("2026-11-20T10:00:00.123456789Z", 1_795_168_800.123456789), ("2026-11-20 10:00:00+00:00", 1_795_168_800),
            ("2026-11-20T12:00:00+0200", 1_795_168_800), ("2026-11-20T05:30:00-04:30", 1_795_168_800),
            ("2026-11-20", 1_795_132_800), ("1795168800.5", 1_795_168_800.5), ("2016-12-31T23:59:60Z", 1_483_228_800),
            ("0001-01-01T00:00:00Z", -62_135_596_800),
        ]
    )
    func moments(text: String, seconds: Double) throws {
        let moment = try #require(Timestamp.parse(text))
        #expect(abs(moment.timeIntervalSince1970 - seconds) < 0.001)
    }

    @Test(
        "Invalid timestamps are refused",
        arguments: [
            "", "now", "2026-13-01", "2026-11-20T25:00:00Z", "2026-11-20T10:00:00+", "2026-11-20T10", "1e18", "NaN",
            "2026-11-20T10:00:00Zx",
        ]
    )
    func noMoments(text: String) {
        #expect(Timestamp.parse(text) == nil)
    }

    @Test("Timestamps are written as in Sentry's API")
    func written() {
        #expect(Timestamp.format(Date(timeIntervalSince1970: 1_795_168_800.123456)) == "2026-11-20T10:00:00.123456Z")
        #expect(Timestamp.format(Date(timeIntervalSince1970: 0)) == "1970-01-01T00:00:00.000000Z")
        #expect(Timestamp.format(Date(timeIntervalSince1970: -1)) == "1969-12-31T23:59:59.000000Z")
        #expect(Timestamp.format(.distantFuture).hasPrefix("4001"))
    }

    @Test("Rate limits are read with categories and scopes, and invalid entries are skipped")
    func rateLimits() {
        let limits = RateLimit.parse(
            "60:error;default:project:quota_exceeded, 2700::organization, x:y, -1:error:key, 1.5:error"
        )
        #expect(limits.map(\.seconds) == [60, 2_700, 1.5])
        #expect(limits[0].categories == ["error", "default"] && limits[0].reason == "quota_exceeded")
        #expect(limits[1].categories.isEmpty && limits[1].scope == "organization")
    }

    @Test("Levels are read by name, alias and number")
    func levels() {
        #expect(Level(name: "WARN") == .warning && Level(name: "critical") == .fatal && Level(name: "log") == .info)
        #expect(Level(name: "loud") == nil && Level(number: 40) == .error && Level(number: 41) == nil)
        #expect(Level.debug < .fatal)
    }
}
