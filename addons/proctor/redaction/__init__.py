"""What must not pass: finding it, taking it out, putting it back."""
