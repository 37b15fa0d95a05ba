"""What leaves: values that are known to be secret, looked for however they are written."""
