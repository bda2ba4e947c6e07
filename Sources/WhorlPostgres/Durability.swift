/// What a session needs so that a committed transaction survives a crash of the server.
package enum Durability {
    /// Raises `synchronous_commit` to `on` where a role or the server has a weaker one; stronger ones stay.
    package static let synchronousCommit = """
        SELECT set_config('synchronous_commit', 'on', false)
        WHERE current_setting('synchronous_commit') IN ('off', 'local')
        """
}
