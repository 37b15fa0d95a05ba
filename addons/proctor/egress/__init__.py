"""Where clients may go: hosts, addresses and paths, and the way to them."""
