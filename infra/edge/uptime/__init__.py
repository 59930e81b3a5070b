"""The Worker at Cloudflare that requests every public URL once a minute, from outside the cluster.

worker.js is its script, and docs/uptime.md describes both.
"""

from infra.edge.uptime.worker import Uptime, declare_uptime

__all__ = ["Uptime", "declare_uptime"]
