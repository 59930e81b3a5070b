"""The uptime Worker in the runtime of Cloudflare Workers."""
