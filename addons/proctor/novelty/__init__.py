"""What is new for this person's agent at a database: learned as statements end, told to rules."""
