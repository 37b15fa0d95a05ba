"""How it runs: launcher, listeners, logs, health."""
