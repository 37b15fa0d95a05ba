"""A human decides: what is held, who may decide it, and until when."""
