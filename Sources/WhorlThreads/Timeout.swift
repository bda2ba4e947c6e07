/// Waits for an answer, and calls `expire` when it takes longer than `limit` or the task is cancelled.
///
/// `register` gets the continuation to resume. `expire` runs after it and must resume the continuation if nothing else did;
/// it is also called when the wait has ended, and then must do nothing.
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
