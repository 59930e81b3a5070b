"""The images that real nodes run, made without a container engine."""
