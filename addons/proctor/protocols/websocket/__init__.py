"""WebSockets (RFC 6455), sans-io: the handshake, and messages out of frames."""
