"""The hook that creates the class of the Durable Object, against the simulated Cloudflare."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from infra.edge.uptime.durable_object import ENDPOINT, STATE_CLASS, RefusedClassError, create_class
from infra.names import UPTIME_SCRIPT
from ops.adoption.lookups import cloudflare as client_of_ops
from rehearsal.clouds.account import Token, read_account, write_account
from rehearsal.clouds.cloudflare.zones import ACCOUNT
from tests.unit.clouds.api import CLOUDFLARE_TOKEN, account, requests, served, state

INPUTS: Mapping[str, object] = {
    "accountId": ACCOUNT["id"],
    "scriptName": UPTIME_SCRIPT,
    "content": f"export class {STATE_CLASS} {{}}\nexport default {{}};\n",
    "mainModule": "worker.js",
    "compatibilityDate": "2026-04-01",
    "compatibilityFlags": ["global_fetch_strictly_public"],
    "bindings": [{"name": "TOKEN", "type": "secret_text", "text": "secret"}],
}


@pytest.fixture
def clouds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    folder = tmp_path / "clouds"
    account(folder)
    with served(folder) as variables:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        yield folder


def script(clouds: Path) -> Mapping[str, Any]:
    return state(clouds, "cloudflare").of("worker_scripts")[UPTIME_SCRIPT]


def test_the_class_is_created_without_bindings(clouds: Path) -> None:
    create_class(INPUTS, CLOUDFLARE_TOKEN)
    assert list(script(clouds)["namespaces"]) == [STATE_CLASS]
    assert script(clouds)["bindings"] == []
    assert script(clouds)["compatibility_flags"] == INPUTS["compatibilityFlags"]


def test_the_token_is_sent_despite_an_entry_in_netrc(
    clouds: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("default login operator password other\n")
    monkeypatch.setenv("NETRC", str(netrc))
    create_class(INPUTS, CLOUDFLARE_TOKEN)
    assert [request["status"] for request in requests(clouds)] == [200]


def test_a_class_that_exists_stays(clouds: Path) -> None:
    """An earlier `up` failed between the hook and the upload of the provider."""
    create_class(INPUTS, CLOUDFLARE_TOKEN)
    before = script(clouds)
    create_class(INPUTS, CLOUDFLARE_TOKEN)
    assert script(clouds) == before
    assert [request["status"] for request in requests(clouds)] == [200, 412]


def test_a_refusal_is_one_line_without_the_token(clouds: Path) -> None:
    write_account(clouds, replace(read_account(clouds), tokens=[Token("cloudflare", CLOUDFLARE_TOKEN, ["Zone:Read"])]))
    with pytest.raises(RefusedClassError) as error:
        create_class(INPUTS, CLOUDFLARE_TOKEN)
    assert str(error.value) == (
        "the uptime Worker was not created: Cloudflare returned 403, Authentication error (10000)"
    )


def test_an_api_that_cannot_be_reached_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ENDPOINT, "http://127.0.0.1:1")
    with pytest.raises(RefusedClassError, match=r"was not created: ConnectionError\. Try again"):
        create_class(INPUTS, CLOUDFLARE_TOKEN)


def test_the_hook_uses_the_endpoint_of_the_other_clients() -> None:
    assert client_of_ops.ENDPOINT == ENDPOINT
