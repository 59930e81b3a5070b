"""The expiry of the origin certificate."""

import pytest

from infra.edge.origin_certificate import rfc3339


@pytest.mark.parametrize(
    ("returned", "exported"),
    [
        ("2040-04-05 13:40:00 +0000 UTC", "2040-04-05T13:40:00Z"),
        ("2040-04-05 15:40:00 +0200 CEST", "2040-04-05T13:40:00Z"),
        ("2040-04-05T13:40:00Z", "2040-04-05T13:40:00Z"),
        ("2040-04-05T13:40:00.123456Z", "2040-04-05T13:40:00Z"),
        ("2040-04-05T15:40:00+02:00", "2040-04-05T13:40:00Z"),
        ("2040-04-05", "2040-04-05"),
        ("in 15 years", "in 15 years"),
        ("", ""),
    ],
)
def test_the_expiry_is_exported_in_rfc_3339(returned: str, exported: str) -> None:
    assert rfc3339(returned) == exported
