import Hummingbird
import NIOCore

/// The request context of every route, with the address of the peer.
package struct CollectorRequestContext: RemoteAddressRequestContext {
    package var coreContext: CoreRequestContextStorage
    package let channel: any Channel
    package var remoteAddress: SocketAddress? { channel.remoteAddress }

    package init(source: ApplicationRequestContextSource) {
        coreContext = .init(source: source)
        channel = source.channel
    }
}
