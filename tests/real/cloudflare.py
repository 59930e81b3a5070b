"""Who asks the site's nodes for pages."""

API, APEX, APP, ADMIN = "api.myhoneydue.com", "myhoneydue.com", "app.myhoneydue.com", "admin.myhoneydue.com"
CLOUDFLARE, STRANGER = "173.245.48.9", "192.0.2.7"
"""Who connects to a node: an address of Cloudflare's ranges, and one of nobody's."""
