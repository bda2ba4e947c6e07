import NIOCore

extension ChannelHandlerContext {
    /// Closes the connection of a peer that was refused while it still sends.
    ///
    /// At once it would see a reset before the answer, so it is given time to read. A client that has read the answer closes
    /// by itself.
    package func closeAfterAnswer() {
        close(mode: .output, promise: nil)
        let closing = eventLoop.scheduleTask(in: .seconds(3)) { [channel] in channel.close(promise: nil) }
        // The task would keep a connection that the client has closed in memory.
        channel.closeFuture.whenComplete { _ in closing.cancel() }
    }
}
