import Foundation

/// The numbers of the last run on this machine, so that a change is visible at once.
///
/// They are stored in the build folder of the benchmarks, one file per tool; without it there is nothing to compare.
public enum LastRun {
    /// Prints the ratio of each number to that of the last run, then stores the new numbers.
    public static func compare(_ tool: String, _ numbers: [String: Double]) throws {
        let folder = URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent()
            .resolvingSymlinksInPath()
        let file = folder.appendingPathComponent("last-run-\(tool).json")
        if let data = try? Data(contentsOf: file),
            let last = try? JSONDecoder().decode([String: Double].self, from: data)
        {
            print("\ncompared with the last run on this machine:")
            for (name, value) in numbers.sorted(by: { $0.key < $1.key }) {
                guard let before = last[name], before > 0 else { continue }
                let padded = name.padding(toLength: 32, withPad: " ", startingAt: 0)
                print("  \(padded)", String(format: "%10.2f -> %10.2f   x %.2f", before, value, value / before))
            }
        } else {
            print("\nno earlier run on this machine to compare with")
        }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .prettyPrinted]
        try encoder.encode(numbers).write(to: file)
    }
}
