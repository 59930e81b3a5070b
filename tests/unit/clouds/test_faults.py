"""Faults on request: a status, a delay, or a connection that is cut before or after the change."""

from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from time import monotonic

import pytest
import requests

from rehearsal.clouds import app, endpoints
from rehearsal.clouds.faults import Fault, write_faults
from rehearsal.clouds.store import Store
from tests.unit.clouds.api import HETZNER_TOKEN, account

PATH = "/v1/placement_groups"


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    account(tmp_path)
    server = app.serve(tmp_path)
    yield endpoints.urls(server.port)["hcloud"]
    server.shutdown()


def create(url: str, name: str) -> requests.Response:
    return requests.post(
        f"{url}/placement_groups",
        json={"name": name, "type": "spread"},
        headers={"Authorization": f"Bearer {HETZNER_TOKEN}"},
        timeout=10,
    )


def names(folder: Path) -> set[str]:
    return {group["name"] for group in Store(folder / "hetzner.json").read().of("placement_groups").values()}


def test_a_status_replaces_the_nth_answer_and_the_change_is_not_made(url: str, tmp_path: Path) -> None:
    body = {"error": {"code": "rate_limit_exceeded", "message": "limit reached"}}
    write_faults(
        tmp_path,
        Fault(
            vendor="hetzner",
            method="POST",
            path=PATH,
            nth=(2,),
            status=HTTPStatus.TOO_MANY_REQUESTS,
            body=body,
            headers={"Retry-After": "1"},
        ),
    )
    assert create(url, "first").status_code == HTTPStatus.CREATED
    refused = create(url, "second")
    assert (refused.status_code, refused.json()) == (HTTPStatus.TOO_MANY_REQUESTS, body)
    assert refused.headers["Retry-After"] == "1"
    assert create(url, "third").status_code == HTTPStatus.CREATED
    assert names(tmp_path) == {"first", "third"}


def test_a_connection_that_is_cut_before_the_change_leaves_nothing(url: str, tmp_path: Path) -> None:
    write_faults(tmp_path, Fault(vendor="hetzner", method="POST", path=PATH, cut="before"))
    with pytest.raises(requests.ConnectionError):
        create(url, "lost")
    assert names(tmp_path) == set()


def test_a_connection_that_is_cut_after_the_change_leaves_it(url: str, tmp_path: Path) -> None:
    write_faults(tmp_path, Fault(vendor="hetzner", method="POST", path=PATH, cut="after"))
    with pytest.raises(requests.ConnectionError):
        create(url, "unreported")
    assert names(tmp_path) == {"unreported"}


def test_a_delayed_request_is_answered_later(url: str, tmp_path: Path) -> None:
    write_faults(tmp_path, Fault(vendor="hetzner", method="POST", path=PATH, delay_seconds=0.3))
    start = monotonic()
    assert create(url, "slow").status_code == HTTPStatus.CREATED
    assert monotonic() - start >= 0.3
    write_faults(tmp_path)
    assert create(url, "fast").status_code == HTTPStatus.CREATED
