"""Times in the report: how long ago, and dates that approach."""

from datetime import datetime, timedelta

from ops.status.line import Line, problem


def age(since: datetime, now: datetime) -> str:
    """For example "3 min", "5 h" or "12 days"."""
    minutes = max(int((now - since).total_seconds()), 0) // 60
    if minutes < 120:  # noqa: PLR2004  # two hours
        return f"{minutes} min"
    hours = minutes // 60
    return f"{hours} h" if hours < 48 else f"{hours // 24} days"  # noqa: PLR2004  # two days


def expiry(name: str, expires: datetime, now: datetime, renew: str, *, notice: int) -> Line:
    """When a certificate expires. It is a problem `notice` days before. `renew` is how an operator renews it."""
    if expires <= now:
        return problem("certificates", f"{name} expired on {expires:%Y-%m-%d}: {renew}")
    text = f"{name} expires on {expires:%Y-%m-%d}, in {(expires - now).days} days"
    if expires - now < timedelta(days=notice):
        return problem("certificates", f"{text}: {renew}")
    return Line(subject="certificates", text=text)
