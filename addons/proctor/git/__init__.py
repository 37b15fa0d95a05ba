"""Git beyond its packets: what is in packs, and where commits come from."""
