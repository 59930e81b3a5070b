"""What Kubernetes needs before any app: access, the namespace, Traefik, ingresses."""
