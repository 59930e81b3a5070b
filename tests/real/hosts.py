"""Host names of the site, and source addresses of the clients that connect to its nodes."""

API, APEX, APP, ADMIN = "api.myhoneydue.com", "myhoneydue.com", "app.myhoneydue.com", "admin.myhoneydue.com"
CLOUDFLARE_ADDRESS = "173.245.48.9"
"""An address of Cloudflare's published ranges."""
OTHER_ADDRESS = "192.0.2.7"
"""An address outside Cloudflare's ranges (TEST-NET-1)."""
