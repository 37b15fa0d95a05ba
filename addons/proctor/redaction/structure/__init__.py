"""Bodies as leaves of text, and changes spliced into them by offset."""
