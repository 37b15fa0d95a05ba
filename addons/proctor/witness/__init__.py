"""A witness on another machine (C2SP tlog-witness): it remembers checkpoints, and cosigns them."""
