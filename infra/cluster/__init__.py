"""What Kubernetes needs around the apps: access, namespaces, network policies, admission, identities, Traefik, DNS."""
