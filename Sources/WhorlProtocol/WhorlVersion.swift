/// The version of Whorl: the collector, the client and the protocol between them are released together.
package enum WhorlVersion {
    /// The semantic version (semver.org).
    package static let number = "0.1.0"
}
