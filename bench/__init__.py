"""How long the commands take, each against the least that could do the same, side by side in one world."""
