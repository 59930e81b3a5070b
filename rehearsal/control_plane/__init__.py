"""The Kubernetes control plane of a world, and the objects that k3s would create in it."""
