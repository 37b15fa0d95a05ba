"""git's protocol over smart HTTP, as bytes and events."""
