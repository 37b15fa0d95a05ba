"""The way of an exchange, one addon a file."""
