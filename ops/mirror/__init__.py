"""The `mirror` command: the images of the settings in a second registry, by digest."""
