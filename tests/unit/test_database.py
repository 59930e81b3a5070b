"""Another PostgreSQL server than Neon: its hosts, and the network policies for its port."""

from typing import Any

from tests.unit.capture import Capture, example_settings, run

HOST, DIRECT, PORT, CIDR = "pooler.db.example.com", "10.1.0.5", 6432, "10.1.0.0/24"


def other_server(**database: object) -> Capture:
    settings: dict[str, Any] = {**example_settings()}
    former = {key: value for key, value in settings["honeydue:database"].items() if key != "poolerHost"}
    return run({**settings, "honeydue:database": {**former, "host": HOST, "port": PORT, **database}})


def peers(program: Capture, app: str) -> list[str]:
    """The CIDRs to which a policy opens the port of the database."""
    return [
        peer["ipBlock"]["cidr"]
        for rule in program.resource("NetworkPolicy", app).inputs["spec"]["egress"]
        if [port["port"] for port in rule["ports"]] == [PORT]
        for peer in rule["to"]
    ]


def test_api_uses_the_pooler_and_migrations_the_server_itself() -> None:
    data = other_server(directHost=DIRECT, privateCidr=CIDR).resource("ConfigMap", "honeydue-config").inputs["data"]
    assert (data["DB_HOST"], data["DB_DIRECT_HOST"], data["DB_PORT"]) == (HOST, DIRECT, str(PORT))


def test_without_a_pooler_both_use_the_same_host() -> None:
    data = other_server().resource("ConfigMap", "honeydue-config").inputs["data"]
    assert (data["DB_HOST"], data["DB_DIRECT_HOST"]) == (HOST, HOST)


def test_a_server_in_a_private_network_is_only_reached_there() -> None:
    program, public = other_server(directHost=DIRECT, privateCidr=CIDR), other_server()
    for app in ("api", "worker", "migrate"):
        assert peers(program, app) == [CIDR], app
        assert peers(public, app) == ["0.0.0.0/0"], app
