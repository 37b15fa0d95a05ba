"""The door for PostgreSQL: listeners that record, mask, hold and stop."""
