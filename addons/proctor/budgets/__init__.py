"""How much a person, a group or a run may use, and how much of it is used up."""
