import ArgumentParser
import Foundation
import WhorlProtocol
import WhorlSpool

/// The commands `whorl spool list`, `whorl spool retry` and `whorl spool drop`, for events that the database refused.
struct SpoolCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "spool",
        abstract: "Lists, retries and drops the events that could not be stored.",
        subcommands: [List.self, Retry.self, Drop.self]
    )

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Lists the dead letters, and prints how many events wait for the database."
        )

        @Flag(help: "Print one JSON object.")
        var json = false

        @OptionGroup var common: CommonOptions

        func run() async throws {
            try await runCommand {
                let letters = try common.deadLetters()
                let totals = try letters.totals()
                let list = try letters.list()
                if json {
                    let shown = list.map { letter -> JSON in
                        [
                            "id": .int(Int(letter.id)), "project": .int(letter.projectID),
                            "eventId": .string(letter.eventID), "reason": .string(letter.reason),
                            "bytes": .int(letter.bytes), "receivedAt": .string(Timestamp.format(letter.receivedAt)),
                            "deadLetteredAt": .string(Timestamp.format(letter.deadLetteredAt)),
                        ]
                    }
                    let object: JSON = [
                        "records": .int(totals.records), "bytes": .int(totals.bytes), "deadLetters": .array(shown),
                    ]
                    print(object.text)
                } else {
                    print("\(totals.records) events wait, \(totals.deadLetters) dead letters, \(totals.bytes) bytes")
                    for letter in list {
                        // Control characters are removed, because the database may quote data from a sender in the
                        // reason.
                        let reason = letter.reason.unicodeScalars.map {
                            $0.value < 0x20 || $0.value == 0x7F ? " " : String($0)
                        }
                        print("\(letter.id)\t\(letter.projectID)\t\(letter.eventID)\t\(reason.joined())")
                    }
                }
            }
        }
    }

    struct Retry: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Puts a dead letter, or all of them, back into the queue of the collector."
        )

        @OptionGroup var chosen: Chosen
        @OptionGroup var common: CommonOptions

        func run() async throws {
            try await runCommand {
                let count = try common.deadLetters().retry(chosen.id)
                try chosen.report(count, "queued again")
            }
        }
    }

    struct Drop: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Deletes a dead letter, or all of them.")

        @OptionGroup var chosen: Chosen
        @OptionGroup var common: CommonOptions

        func run() async throws {
            try await runCommand {
                let count = try common.deadLetters().drop(chosen.id)
                try chosen.report(count, "dropped")
            }
        }
    }

    /// The dead letters to which a command applies.
    struct Chosen: ParsableArguments {
        @Argument(help: "The number of the letter, as `whorl spool list` shows it.")
        var id: Int64?

        @Flag(help: "All dead letters.")
        var all = false

        @Flag(help: "Print one JSON object.")
        var json = false

        func validate() throws {
            guard (id == nil) == all else { throw ValidationError("give the number of one letter, or --all") }
        }

        func report(_ count: Int, _ done: String) throws {
            let object: JSON = ["letters": .int(count)]
            print(json ? object.text : "\(count) \(done)")
            if count == 0, id != nil {
                printError("there is no such dead letter")
                throw Exit.failure
            }
        }
    }
}

extension CommonOptions {
    /// The dead letters of the data directory.
    fileprivate func deadLetters() throws -> DeadLetters {
        try DeadLetters(directory: DatabaseSettings(source).dataDirectory + "/spool")
    }
}
