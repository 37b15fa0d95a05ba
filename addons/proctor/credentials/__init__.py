"""What proctor puts in for its clients, so that they never hold it."""
