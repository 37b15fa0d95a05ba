"""Who calls: tokens, keys, issuers, groups."""
