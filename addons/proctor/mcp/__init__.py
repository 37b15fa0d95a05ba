"""What MCP servers' tools say of themselves, pinned until a human accepts a change."""
