"""Container images for real nodes, built without a container engine."""
