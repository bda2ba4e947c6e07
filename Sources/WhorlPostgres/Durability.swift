/// The session settings that make a committed transaction survive a crash of the server.
package enum Durability {
    /// Raises `synchronous_commit` to `on` if the role or the server has a weaker setting; stronger settings are kept.
    package static let synchronousCommit = """
        SELECT set_config('synchronous_commit', 'on', false)
        WHERE current_setting('synchronous_commit') IN ('off', 'local')
        """
}
