"""Recognizers: what finds one kind of thing in a text, each as Presidio knows recognizers."""
