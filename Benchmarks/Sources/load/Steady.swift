import Foundation

/// Measures response times at a rate below the capacity of the machine.
enum Steady {
    static func run(_ executable: String, rate: Int, seconds: Double) throws {
        let server = try Server(executable: executable)
        defer { server.stop() }
        let row = try Row(Load.typical(), server, seconds: seconds, warmUp: 2, connections: 16, ratePerSecond: rate)
        print(Row.table([row]))
        try Load.check([row])
    }
}
