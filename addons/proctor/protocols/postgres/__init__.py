"""PostgreSQL's protocol, 3.0 and 3.2: bytes in, messages and bytes out (PostgreSQL, chapter 54)."""
