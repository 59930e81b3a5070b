"""The operation around the program: what is run against production, and what guards it."""
