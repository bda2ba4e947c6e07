import NIOCore

extension ChannelHandlerContext {
    /// Closes the connection of a peer that was refused while it still sends: at once it would see a reset before the
    /// answer, so it is given half a second to read.
    package func closeAfterAnswer() {
        close(mode: .output, promise: nil)
        eventLoop.scheduleTask(in: .milliseconds(500)) { [channel] in channel.close(promise: nil) }
    }
}
