import Foundation

/// A Python virtual environment with packages from PyPI, kept below `.build` between runs.
package struct PythonEnvironment: Sendable {
    package let folder: String

    package func program(_ name: String) -> String { folder + "/bin/" + name }

    /// Finds or creates the environment; `requirements` is the content of a requirements file.
    package static func make(_ name: String, requirements: String) async throws -> PythonEnvironment {
        let folder = TestCollector.repository + "/.build/venvs/" + name
        let marker = folder + "/requirements.txt"
        let environment = PythonEnvironment(folder: folder)
        if (try? String(contentsOfFile: marker, encoding: .utf8)) == requirements { return environment }
        try? FileManager.default.removeItem(atPath: folder)
        let variables = ["PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": NSHomeDirectory()]
        try await run("/usr/bin/env", ["python3", "-m", "venv", folder], variables)
        let wanted = folder + "/wanted.txt"
        try requirements.write(toFile: wanted, atomically: true, encoding: .utf8)
        // pip uses the package index and the proxy that this machine configures.
        let pip = ProcessInfo.processInfo.environment.filter { $0.key.hasPrefix("PIP_") || $0.key.hasSuffix("_proxy") }
        try await run(
            environment.program("pip"),
            ["install", "--quiet", "--disable-pip-version-check", "-r", wanted],
            variables.merging(pip) { $1 }
        )
        try FileManager.default.moveItem(atPath: wanted, toPath: marker)
        return environment
    }

    private static func run(_ path: String, _ arguments: [String], _ environment: [String: String]) async throws {
        let program = try RunningProgram(path, arguments, environment: environment)
        guard try await program.exitStatus(within: 300) == 0 else {
            throw TestFailure("\(path) \(arguments.joined(separator: " ")) failed:\n\(program.output)")
        }
    }
}
