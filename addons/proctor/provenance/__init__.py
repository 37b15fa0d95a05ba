"""Where a value came from: what untrusted answers held, and what turns up in an action."""
