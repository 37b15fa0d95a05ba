"""What comes in: signs that a text wants to give the model orders."""
