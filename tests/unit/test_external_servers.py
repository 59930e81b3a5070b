"""Servers outside of the cluster: their certificate authority, their addresses, and the images that trust them."""

import json
import os
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from infra.settings.logs import LogImages
from infra.settings.monitoring import MonitoringImages
from infra.settings.traces import TracesSettings
from rehearsal.engine.configuration import StackSettings, read_stack_settings
from rehearsal.external.mail_server import MailServer
from rehearsal.external.trace_collector import TraceCollector
from rehearsal.external_authority import RENEWAL, external_authority
from rehearsal.images import logs, monitoring
from rehearsal.images.trust import TRUSTED_CERTIFICATES
from rehearsal.layout import Layout
from rehearsal.real_nodes.cluster_config import external_servers, log_database, mail_server, metrics_database
from tests.recipes import EXAMPLE
from tools import debian

MONITORING = "{url: 'https://obs.example.com:8443/metrics', username: writer, images: {vmagent: 'agent:1@sha256:%s'}}"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    folder.mkdir()
    monkeypatch.setenv("HONEYDUE_CACHE", str(folder))
    return folder


def certificate() -> bytes:
    return external_authority().files.certificate.read_bytes()


def test_all_worlds_have_the_same_authority_until_it_is_old() -> None:
    first = certificate()
    assert certificate() == first
    file = external_authority().files.certificate
    age = RENEWAL + timedelta(minutes=1)
    os.utime(file, (file.stat().st_atime, file.stat().st_mtime - age.total_seconds()))
    assert certificate() != first


def test_the_images_of_clients_contain_the_authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(debian, "root_filesystem", lambda _: tmp_path)
    references, of_logs = MonitoringImages(), LogImages()
    images = {image.reference: image for image in (*monitoring.images(references), *logs.images(of_logs))}
    assert set(images) == {*references.model_dump().values(), *of_logs.model_dump().values()}
    trusting = {
        reference
        for reference, image in images.items()
        if any(layer.get(TRUSTED_CERTIFICATES) == certificate() for layer in image.layers)
    }
    assert trusting == {references.vmagent, references.vmalert, references.alertmanager, of_logs.vlagent}


def stack(tmp_path: Path, settings: str) -> StackSettings:
    """The example settings with other settings of monitoring."""
    lines = (EXAMPLE / "Pulumi.prod.yaml").read_text().splitlines()
    start = next((number for number, line in enumerate(lines) if line.startswith("  honeydue:monitoring:")), len(lines))
    rest = (number for number in range(start + 1, len(lines)) if not lines[number].startswith("   "))
    lines[start : next(rest, len(lines))] = [f"  honeydue:monitoring: {settings}"]
    (tmp_path / "Pulumi.prod.yaml").write_text("\n".join(lines))
    return read_stack_settings(tmp_path / "Pulumi.prod.yaml")


def test_the_servers_have_the_names_and_ports_of_the_settings(tmp_path: Path) -> None:
    settings = stack(tmp_path, MONITORING % ("0" * 64))
    assert settings.monitoring
    assert settings.monitoring.images.vmagent == "agent:1"
    database, mail = metrics_database(Layout(tmp_path), settings), mail_server(Layout(tmp_path), settings)
    assert database
    assert mail
    assert settings.mailbox
    assert database.addresses == {"obs.example.com": database.address}
    assert mail.addresses == {settings.mailbox.host: mail.address}
    database.folder.mkdir(parents=True)
    command = database.command(external_authority().files)
    assert {f"-httpListenAddr={database.address}:8443", "-http.pathPrefix=/metrics"} <= set(command)
    # An argument is visible to every process of the machine.
    assert not any(database.password in argument for argument in command)
    (folder,) = (argument.partition("=")[2] for argument in command if "customDashboardsPath" in argument)
    assert len([*Path(folder).glob("*.json")]) == len(settings.dashboards) > 3


def test_the_log_database_has_the_name_and_port_of_the_settings(tmp_path: Path) -> None:
    file = tmp_path / "Pulumi.prod.yaml"
    digest = "@sha256:" + "0" * 64
    logs_of = f"{{url: 'https://logs.example.com:9428', username: writer, images: {{vlagent: 'agent:1{digest}'}}}}"
    file.write_text(f"{(EXAMPLE / file.name).read_text()}\n  honeydue:logs: {logs_of}\n")
    settings = read_stack_settings(file)
    assert settings.logs
    assert settings.logs.images.vlagent == "agent:1"
    database = log_database(Layout(tmp_path), settings)
    assert database
    assert database.addresses == {"logs.example.com": database.address}
    database.folder.mkdir(parents=True)
    command = database.command(external_authority().files)
    assert f"-httpListenAddr={database.address}:9428" in command
    assert not any(database.password in argument for argument in command)
    assert log_database(Layout(tmp_path), stack(tmp_path, "null")) is None


@pytest.mark.parametrize(
    ("settings", "servers"),
    [("null", []), ("{url: 'https://obs.example.com', username: writer, alerts: false}", ["victoria-metrics"])],
)
def test_a_part_that_is_off_has_no_server(settings: str, servers: list[str], tmp_path: Path) -> None:
    result = stack(tmp_path, settings)
    candidates = (metrics_database(Layout(tmp_path), result), mail_server(Layout(tmp_path), result))
    assert [server.name for server in candidates if server] == servers


@pytest.mark.parametrize(("port", "flag"), [(587, "--smtp-require-starttls"), (465, "--smtp-require-tls")])
def test_the_port_of_the_mail_server_determines_how_tls_begins(port: int, flag: str, tmp_path: Path) -> None:
    server = MailServer(
        layout=Layout(tmp_path), hostname="smtp", port=port, user="app", password="rehearsal", address="192.0.2.1"
    )
    server.folder.mkdir(parents=True)
    command = server.command(external_authority().files)
    assert [argument for argument in command if argument.startswith("--smtp-require")] == [flag]
    assert not any(server.password in argument for argument in command)


@pytest.mark.parametrize("url", ["https://traces.example.com", "https://traces.example.com:4318/otlp"])
def test_the_trace_collector_has_the_port_and_the_path_of_the_settings(url: str, tmp_path: Path) -> None:
    settings = TracesSettings.model_validate({"url": url, "username": "writer"})
    server = TraceCollector(layout=Layout(tmp_path), settings=settings, password="rehearsal", address="192.0.2.1")
    assert server.addresses == {"traces.example.com": "192.0.2.1"}
    server.folder.mkdir(parents=True)
    command = server.command(external_authority().files)
    assert f"--entryPoints.https0.address=192.0.2.1:{settings.port}" in command
    assert f"Path(`{urlsplit(url).path}/v1/traces`)" in (server.folder / "routes.yaml").read_text()
    # Not with its default ports, which would be on every address of the machine.
    listening = [argument for argument in server.jaeger() if ".host-port=" in argument]
    assert len(listening) == 7
    assert all("=192.0.2.1:" in argument for argument in listening)
    assert not any(server.password in argument for argument in (*command, *server.jaeger()))
    assert server.password not in (server.folder / "users").read_text()


def test_servers_with_one_host_are_behind_a_gateway(tmp_path: Path) -> None:
    settings = stack(tmp_path, "{url: 'https://obs.example.com', username: writer, alerts: false}")
    traces = TracesSettings.model_validate({"url": "https://obs.example.com:4318", "username": "writer"})
    assert len(external_servers(Layout(tmp_path), settings)) == 1
    servers = external_servers(Layout(tmp_path), replace(settings, traces=traces))
    assert [server.name for server in servers] == ["victoria-metrics", "trace-collector", "gateway"]
    gateway = servers[-1]
    # The last one, to which the name of all of them leads.
    assert gateway.addresses == {"obs.example.com": gateway.address}
    assert len({server.address for server in servers}) == 3
    gateway.folder.mkdir(parents=True)
    command = gateway.command(external_authority().files)
    assert {argument.rpartition(":")[2] for argument in command if ".address=" in argument} == {"443", "4318"}
    http = json.loads((gateway.folder / "routes.yaml").read_text())["http"]
    rules = {name: router["rule"] for name, router in http["routers"].items()}
    assert rules == {"victoria-metrics": "PathPrefix(`/`)", "trace-collector": "Path(`/v1/traces`)"}


def test_servers_with_different_hosts_have_no_gateway(tmp_path: Path) -> None:
    settings = stack(tmp_path, "{url: 'https://obs.example.com', username: writer, alerts: false}")
    traces = TracesSettings.model_validate({"url": "https://traces.example.com", "username": "writer"})
    servers = external_servers(Layout(tmp_path), replace(settings, traces=traces))
    assert [server.host for server in servers] == ["obs.example.com", "traces.example.com"]
