"""What Kubernetes needs before any app: access, namespaces, network policies, admission, identities, Traefik."""
