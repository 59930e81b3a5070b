"""The Kubernetes control plane of a world."""
