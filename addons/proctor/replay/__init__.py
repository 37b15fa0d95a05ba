"""Recorded sessions again: watched, served back to a client, or sent anew under an approval."""
