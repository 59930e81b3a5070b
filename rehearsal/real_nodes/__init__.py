"""Real nodes for a world: kubelet, containerd, kube-proxy and the network policy controller in Linux namespaces."""
