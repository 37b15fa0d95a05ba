"""A door for MCP servers that speak over standard streams: `proctor mcp -- command …`."""
