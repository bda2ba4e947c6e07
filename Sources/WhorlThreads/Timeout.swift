/// Waits for a value, and calls `expire` if that takes longer than `limit` or the task is cancelled.
///
/// `register` receives the continuation to resume. `expire` runs after it and must resume the continuation if nothing
/// else did. `expire` is also called after the wait has ended, and must then do nothing.
package func withTimeout<Value: Sendable>(
    _ limit: Duration,
    expire: @escaping @Sendable () -> Void,
    register: (CheckedContinuation<Value, Never>) -> Void
) async -> Value {
    await withTaskGroup(of: Void.self) { group in
        let value = await withCheckedContinuation { answer in
            register(answer)
            group.addTask {
                try? await Task.sleep(for: limit)
                expire()
            }
        }
        group.cancelAll()
        return value
    }
}
