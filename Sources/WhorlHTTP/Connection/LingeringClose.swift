import NIOCore

extension ChannelHandlerContext {
    /// Closes the connection to a peer that was refused while it is still sending.
    ///
    /// An immediate close would reset the connection before the peer receives the response, so the peer gets time to
    /// read it. A client that has read the response closes the connection itself.
    package func closeAfterAnswer() {
        close(mode: .output, promise: nil)
        let closing = eventLoop.scheduleTask(in: .seconds(3)) { [channel] in channel.close(promise: nil) }
        // Otherwise the task would keep a connection in memory after the client has closed it.
        channel.closeFuture.whenComplete { _ in closing.cancel() }
    }
}
