"""Transparency logs, without files or sockets: trees, signed notes, checkpoints and proofs."""
