"""A world: its folder, its start and end, its templates."""
