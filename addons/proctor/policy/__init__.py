"""What may happen: rules, CEL, matching, explaining."""
