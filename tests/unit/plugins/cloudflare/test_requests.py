"""The simulated cloudflare plugin sends the requests that the real plugin sent (`tests/recorded_requests/`).

The recordings contain the requests of engine runs. These tests create, refresh, change and delete the same resources.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cloudflare
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from rehearsal.clouds import app, endpoints
from tests.rehearsal.recordings import RECORDED
from tests.unit.clouds.api import CLOUDFLARE_TOKEN, ZONE, ZONE_ID, account, edit, requests
from tests.unit.plugins.engine import Engine, Inputs, Resource, secret

RECORD = "cloudflare:index/dnsRecord:DnsRecord"
SETTING = "cloudflare:index/zoneSetting:ZoneSetting"
ORIGIN = "cloudflare:index/originCaCertificate:OriginCaCertificate"
PULLS_CERTIFICATE = "cloudflare:index/authenticatedOriginPullsCertificate:AuthenticatedOriginPullsCertificate"
PULLS_SETTINGS = "cloudflare:index/authenticatedOriginPullsSettings:AuthenticatedOriginPullsSettings"
HOSTS = (f"api.{ZONE}", f"admin.{ZONE}", f"app.{ZONE}", ZONE)
ADDRESSES = ("178.104.247.152", "178.105.32.198", "178.104.249.189")
NEW_ADDRESS = "203.0.113.10"
SETTINGS = {"ssl": "strict", "always_use_https": "on", "min_tls_version": "1.2", "tls_1_3": "on"}


def recorded(scenario: str) -> list[str]:
    """The requests to Cloudflare in a recording, as sorted JSON texts."""
    lines = (RECORDED / f"{scenario}.jsonl").read_text().splitlines()
    return sorted(_text(entry) for line in lines if (entry := json.loads(line))["vendor"] == "cloudflare")


class Edge:
    """Creates production's zone with the plugin. Returns the requests that the plugin sent."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        account(folder)
        self.engine = Engine("cloudflare", folder)
        self.ids = {ZONE_ID: "<id:zone>"}
        self.records: dict[tuple[str, str], Resource] = {}
        self.resources: list[Resource] = []

    def look_up(self) -> None:
        self.engine.invoke("cloudflare:index/getIpRanges:getIpRanges", {})
        self.engine.invoke("cloudflare:index/getZone:getZone", {"filter": {"name": ZONE, "match": "all"}})

    def create(self) -> None:
        for host in HOSTS:
            for address in ADDRESSES:
                self.create_record(host, address)
        for setting, value in SETTINGS.items():
            self.resources.append(
                self.engine.create(SETTING, {"zoneId": ZONE_ID, "settingId": setting, "value": value})
            )
        key = ec.generate_private_key(ec.SECP256R1())
        request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(key, hashes.SHA256())
        origin = self.engine.create(
            ORIGIN,
            {
                "csr": request.public_bytes(serialization.Encoding.PEM).decode(),
                "hostnames": sorted([ZONE, f"*.{ZONE}"]),
                "requestType": "origin-ecc",
                "requestedValidity": 5475,
            },
        )
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        pulls: Inputs = {
            "zoneId": ZONE_ID,
            "certificate": origin.outputs["certificate"],
            "privateKey": secret(pem.decode()),
        }
        certificate = self.engine.create(PULLS_CERTIFICATE, pulls)
        settings = self.engine.create(PULLS_SETTINGS, {"zoneId": ZONE_ID, "enabled": True})
        self.ids |= {origin.id: "<id:origin_certificate>", certificate.id: "<id:client_certificate>"}
        self.resources += [origin, certificate, settings]

    def create_record(self, host: str, address: str) -> None:
        inputs = {"zoneId": ZONE_ID, "name": host, "type": "A", "content": address, "proxied": True, "ttl": 1}
        record = self.engine.create(RECORD, inputs)
        self.ids[record.id] = f"<id:record:{host}:A:{address}>"
        self.records[host, address] = record

    def refresh(self) -> list[Resource | None]:
        return [self.engine.read(resource) for resource in [*self.records.values(), *self.resources]]

    def sent(self, start: int = 0) -> list[str]:
        """The requests after the first `start` ones, in the form of the recordings."""
        texts = []
        for entry in requests(self.folder)[start:]:
            text = _text(entry)
            for id_, placeholder in self.ids.items():
                text = text.replace(id_, placeholder)
            texts.append(text)
        return sorted(texts)


@pytest.fixture
def edge(tmp_path: Path) -> Edge:
    return Edge(tmp_path)


def _text(entry: dict[str, Any]) -> str:
    return json.dumps({name: entry[name] for name in ("method", "path", "query", "body", "status")}, sort_keys=True)


def test_the_first_up_creates_the_zone(edge: Edge) -> None:
    edge.look_up()
    edge.create()
    assert edge.sent() == recorded("fresh-up")


def test_a_refresh_reads_each_resource(edge: Edge) -> None:
    edge.create()
    start = len(requests(edge.folder))
    edge.look_up()
    assert None not in edge.refresh()
    assert edge.sent(start) == recorded("preview-refresh-unchanged")


def test_a_changed_setting_is_updated(edge: Edge) -> None:
    edge.create()
    start = len(requests(edge.folder))
    for _ in range(2):
        edge.look_up()
    setting = next(resource for resource in edge.resources if resource.id == "min_tls_version")
    edge.engine.update(setting, {**setting.inputs, "value": "1.3"})
    assert edge.sent(start) == recorded("zone-setting-changed")


def test_a_manual_change_of_a_record_is_reverted(edge: Edge) -> None:
    edge.create()
    record = edge.records[f"api.{ZONE}", "178.105.32.198"]
    edit(edge.folder, "cloudflare", "dns_records", record.id, lambda resource: resource.update(proxied=False))
    start = len(requests(edge.folder))
    drifted = edge.engine.read(record)
    assert drifted is not None
    edge.engine.update(drifted, record.inputs)
    changes = [text for text in edge.sent(start) if '"method": "PUT"' in text]
    assert len(changes) == 1
    # The recorded scenario replaced this record earlier, so its placeholder ends in `#2`.
    assert changes == [text.replace("#2", "") for text in recorded("record-changed-by-hand") if '"PUT"' in text]


def test_the_records_of_a_removed_node_are_deleted(edge: Edge) -> None:
    for host in HOSTS:
        edge.create_record(host, NEW_ADDRESS)
    start = len(requests(edge.folder))
    for record in edge.records.values():
        edge.engine.delete(record)
    deletions = [text for text in recorded("node-removed-confirmed") if '"DELETE"' in text]
    assert edge.sent(start) == deletions


def test_the_client_of_the_vendor_works(edge: Edge) -> None:
    """Lists records as `ops drift` does, and changes a setting."""
    edge.create()
    start = len(requests(edge.folder))
    server = app.serve(edge.folder)
    url = endpoints.urls(server.server_port)["cloudflare"]
    client = cloudflare.Cloudflare(api_token=CLOUDFLARE_TOKEN, base_url=url)
    assert len(list(client.dns.records.list(zone_id=ZONE_ID))) == len(HOSTS) * len(ADDRESSES)
    expected = [text for text in recorded("drift-unchanged") if '/dns_records", "query"' in text]
    assert edge.sent(start) == expected
    matches = list(client.dns.records.list(zone_id=ZONE_ID, name={"exact": f"api.{ZONE}"}))
    assert {record.content for record in matches} == set(ADDRESSES)
    changed = client.zones.settings.edit("ssl", zone_id=ZONE_ID, value="full")
    assert getattr(changed, "value", None) == "full"
    token = client.user.tokens.verify()
    assert token is not None
    assert token.status == "active"
    assert [zone.name for zone in client.zones.list(name=ZONE)] == [ZONE]
    with pytest.raises(cloudflare.PermissionDeniedError):
        list(client.with_options(api_token="wrong").zones.list())
    server.shutdown()
