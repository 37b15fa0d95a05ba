"""Command lines of a shell, read as the shell would read them; nothing is run."""
