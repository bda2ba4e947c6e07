import ArgumentParser
import Foundation
import WhorlStore

/// The commands `whorl dictionary train` and `whorl dictionary list`, for the dictionaries that compress payloads.
struct DictionaryCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dictionary",
        abstract: "Trains and lists the dictionaries that compress stored events.",
        subcommands: [Train.self, List.self]
    )

    struct Train: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Trains a dictionary from stored events, and keeps it if it saves at least a twentieth.",
            discussion: """
                Collectors use it for new events within a minute; older rows are not changed. A dictionary holds keys \
                of the protocol and strings of SDKs, and no data of applications. It is never deleted, because rows \
                cannot be read without it.
                """
        )

        @Option(help: "The maximum size of the dictionary in bytes.")
        var size = 65_536

        @Option(help: "The maximum number of events to train from.")
        var samples = 4_000

        @Option(help: "Write the dictionary to a file instead of storing it in the database.")
        var output: String?

        @OptionGroup var common: CommonOptions

        func validate() throws {
            guard (1_024...1 << 20).contains(size) else { throw ValidationError("--size: 1024 to 1048576") }
            guard (100...100_000).contains(samples) else { throw ValidationError("--samples: 100 to 100000") }
        }

        func run() async throws {
            try await runCommand {
                try await common.withDatabase { pool in
                    let training = try DictionaryTraining(pool: pool)
                    let result = try await training.train(bytes: size, samples: samples)
                    print(
                        """
                        \(result.dictionary.count) bytes, trained from \(result.samples) events; \(result.tested) others take
                          \(result.uncompressed) bytes as they are
                          \(result.withoutDictionary) compressed without a dictionary
                          \(result.withCurrent) with the one in use
                          \(result.withNew) with the new one
                        """
                    )
                    if let output {
                        try Data(result.dictionary).write(to: URL(fileURLWithPath: output))
                    } else if result.isBetter {
                        print("kept as dictionary \(try await training.keep(result))")
                    } else {
                        print("not kept: it saves less than a twentieth")
                    }
                }
            }
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Lists the dictionaries of the database.")

        @OptionGroup var common: CommonOptions

        func run() async throws {
            try await runCommand {
                try await common.withDatabase { pool in
                    print("1\tcomes with the program")
                    for entry in try await DictionaryTraining(pool: pool).list() {
                        print(
                            "\(entry.number)\t\(entry.bytes) bytes from \(entry.samples) events, "
                                + entry.createdAt.formatted(.iso8601)
                        )
                    }
                }
            }
        }
    }
}
