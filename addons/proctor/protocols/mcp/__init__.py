"""The Model Context Protocol, sans-io: 2026-07-28 and the revisions with a handshake before it."""
