"""The simulated Cloudflare API: settings of a zone."""

from __future__ import annotations

import pytest

from tests.unit.clouds.api import Api
from tests.unit.clouds.cloudflare.requests import SETTINGS, error, result


def test_every_setting_has_a_default_and_can_be_changed(api: Api) -> None:
    path = f"{SETTINGS}/min_tls_version"
    assert result(api("GET", path)) == {"id": "min_tls_version", "value": "1.0", "modified_on": None, "editable": True}
    changed = result(api("PATCH", path, {"value": "1.2"}))
    assert changed["value"] == "1.2"
    assert changed["modified_on"] is not None
    assert result(api("GET", path)) == changed
    values = {setting["id"]: setting["value"] for setting in result(api("GET", SETTINGS))}
    assert (values["min_tls_version"], values["ssl"], values["always_use_https"]) == ("1.2", "full", "off")
    assert values["tls_1_3"] == "on"


@pytest.mark.parametrize(
    ("setting", "value", "expected"),
    [
        ("sssl", "on", 1003),
        ("ssl", "stricter", 1007),
        ("ssl", None, 1007),
        ("min_tls_version", 1.2, 1007),
        ("ssl", "origin_pull", 1015),
        ("cname_flattening", "flatten_all", 1015),
        ("polish", "lossless", 1015),
        ("http2", "off", 1015),
        ("waf", "on", 1015),
    ],
)
def test_an_invalid_setting_is_refused(api: Api, setting: str, value: object, expected: int) -> None:
    body = {} if value is None else {"value": value}
    assert error(api("PATCH", f"{SETTINGS}/{setting}", body)) == (400, expected)
    if expected == 1015:
        editable = result(api("GET", f"{SETTINGS}/{setting}"))["editable"]
        assert editable is (setting in ("ssl", "cname_flattening"))


def test_an_unknown_setting_cannot_be_read(api: Api) -> None:
    response = api("GET", f"{SETTINGS}/no_such_setting")
    assert error(response) == (400, 1003)
    assert response.json["errors"][0]["message"] == "Undefined zone setting: no_such_setting"
