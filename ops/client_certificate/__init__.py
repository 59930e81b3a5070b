"""The `require-client-certificate` command, which reads Traefik's access log."""
