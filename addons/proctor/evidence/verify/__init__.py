"""Is a record what was written? Answered from its files and a public key alone.

Nothing that only says so is trusted: not the views, not `state.json`, not `leaves`. What is there
is read and hashed anew, and compared with what the key signed.
"""
