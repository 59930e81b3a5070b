"""Errors in settings: one line for each, with the key, the value and what was expected, before any API is contacted."""

import copy
import inspect
import re
from typing import Any

import pulumi
import pytest

from infra.sdk import cloudflare
from infra.settings.loading import SettingsError
from infra.settings.maintenance import UpgradeSettings, Window
from infra.settings.model import Model
from infra.settings.other_workloads import Connection, OtherWorkload
from infra.settings.scaling import Autoscaling, ScaleUp
from infra.settings.schema import Settings
from infra.settings.secrets import REQUIRED
from infra.settings.topology import ClusterSettings
from infra.settings.uptime import UptimeSettings
from tests.recipes import ROOT
from tests.unit.capture import example_settings, run
from tests.unit.placeholders import PLACEHOLDER


def errors_of(changes: dict[str, Any], *, without: tuple[str, ...] = ()) -> str:
    """The error of the program for changed example settings. Keys are paths below honeydue:."""
    settings: dict[str, Any] = copy.deepcopy(example_settings())
    for path, value in changes.items():
        key, *rest = path.split("/")
        if not rest:
            settings[f"honeydue:{key}"] = value
            continue
        target = settings[f"honeydue:{key}"]
        for step in rest[:-1]:
            target = target[step]
        target[rest[-1]] = value
    for key in without:
        del settings[f"honeydue:{key}"]
    with pytest.raises(SettingsError) as error:
        run(settings)
    return str(error.value)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"domian": "myhoneydue.com"}, "honeydue:domian is not a setting: did you mean domain?"),
        ({"nodes/hetzner1/hostnmae": "x"}, "honeydue:nodes.hetzner1.hostnmae is not a setting"),
        ({"nodes/hetzner1/ipv4": "178.104.247.300"}, "honeydue:nodes.hetzner1.ipv4 holds '178.104.247.300'"),
        (
            {"nodes/hetzner2/hostname": "ubuntu-8gb-nbg1-2"},
            "hetzner1 and hetzner2 have the same hostname, ubuntu-8gb-nbg1-2",
        ),
        ({"nodes/hetzner2/ipv4": "178.104.247.152"}, "hetzner1 and hetzner2 have the same ipv4, 178.104.247.152"),
        (
            {"redis/node": "ubuntu-8gb-nbg1-9"},
            "node ubuntu-8gb-nbg1-9 is not a node of this stack; its nodes are ubuntu-8gb-nbg1-2, ",
        ),
        (
            {"database/poolerHost": "ep-floral-truth-amttbc5a.c-5.us-east-1.aws.neon.tech"},
            "is Neon's direct host. The pooler's was expected: its first label ends in -pooler",
        ),
        (
            {"database/host": "db.example.com"},
            "honeydue:database: either poolerHost, for Neon, or host, for another server, was expected",
        ),
        (
            {"database/poolerHost": None},
            "honeydue:database: either poolerHost, for Neon, or host, for another server, was expected",
        ),
        ({"database/directHost": "db.example.com"}, "honeydue:database: directHost and privateCidr are not for Neon"),
        (
            {"database/poolerHost": None, "database/host": "10.1.0.5", "database/privateCidr": "10.2.0.0/24"},
            "honeydue:database: 10.1.0.5 is in a private network: privateCidr with it was expected",
        ),
        (
            {"database/poolerHost": None, "database/host": "db.example.com", "database/privateCidr": "0.0.0.0/0"},
            "honeydue:database.privateCidr holds '0.0.0.0/0': is not a private network",
        ),
        ({"database/privateCidr": "10.2.0.0/24"}, "honeydue:database: directHost and privateCidr are not for Neon"),
        (
            {"cluster/egressSelectorMode": "off"},
            "honeydue:cluster.egressSelectorMode holds 'off': 'agent', 'cluster', 'pod' or 'disabled' was expected",
        ),
        ({"cluster/clusterDomain": "cluster"}, "honeydue:cluster.clusterDomain holds 'cluster': a full domain name"),
        ({"cluster/disableNetworkPolicy": True}, "honeydue:cluster.disableNetworkPolicy is not a setting"),
        (
            {
                "cluster/flannelExternalIp": True,
                "cluster/network": "private",
                "nodes/hetzner1/privateIpv4": "10.0.0.11",
                "nodes/hetzner2/privateIpv4": "10.0.0.12",
                "nodes/hetzner3/privateIpv4": "10.0.0.13",
            },
            "honeydue:cluster.flannelExternalIp holds true: contradicts network private: the pods of two nodes would",
        ),
        ({"images/api": "latest"}, "honeydue:images.api holds 'latest': an image tag other than \"latest\""),
        ({"scale/api/max": 2}, "honeydue:scale.api.max holds 2: must be at least min, 3"),
        (
            {"scale/api/scaleDown": {"stabilization": "2h"}},
            "honeydue:scale.api.scaleDown.stabilization holds '2h': at most 1h was expected",
        ),
        (
            {"scale/api/scaleDown": {"pods": 1, "period": "31m"}},
            "honeydue:scale.api.scaleDown.period holds '31m': at most 30m was expected",
        ),
        (
            {"scale/api/scaleUp": {"stabilization": "1m", "period": "1m"}},
            "honeydue:scale.api.scaleUp.period holds '1m': limits nothing without pods or percent",
        ),
        (
            {"scale/api/scaleDown": {"percent": 101}},
            "honeydue:scale.api.scaleDown.percent holds 101: at most 100 was expected",
        ),
        ({"scale/api/scaleUp": {}}, "honeydue:scale.api.scaleUp: stabilization, pods or percent was expected"),
        (
            {"scale/api/scaleUp": {"stabilization": "soon"}},
            "honeydue:scale.api.scaleUp.stabilization holds 'soon': a duration such as \"5m\" was expected",
        ),
        ({"cluster/serviceCidr": "10.42.128.0/17"}, "must not overlap podCidr 10.42.0.0/16"),
        ({"cluster/clusterDns": "10.42.0.10"}, "must be in serviceCidr 10.43.0.0/16"),
        ({"access/operators": ["10.0.0.1/8"]}, "honeydue:access.operators.0"),
        ({"sshKeys": {"me": "not a key"}}, "honeydue:sshKeys.me holds 'not a key': an OpenSSH public key was expected"),
        ({"domain": "https://myhoneydue.com"}, "honeydue:domain holds 'https://myhoneydue.com': a full domain name"),
        ({"environment/DB_HOST": "elsewhere"}, "DB_HOST comes from other settings; remove it here"),
        ({"nodes/hetzner1/serverType": "cx99"}, "servers has no price for cx99"),
        (
            {"edge/rateLimit/period": "soon"},
            "honeydue:edge.rateLimit.period holds 'soon': a duration such as \"1s\" was expected",
        ),
        ({"edge/clientCertificate": "maybe"}, "honeydue:edge.clientCertificate holds 'maybe'"),
        (
            {"edge/clientCertificate": "optional"},
            "honeydue:edge.clientCertificate holds 'optional': is now requested: Traefik requests a certificate and",
        ),
        ({"edge/clientCertificate": "asked"}, "honeydue:edge.clientCertificate holds 'asked': is now requested"),
        (
            {"cluster/k3sVersion": "v1.38.0+k3s1"},
            "honeydue:cluster.k3sVersion holds 'v1.38.0+k3s1': the charts of k3s 1.38 are not known; known are 1.34, ",
        ),
        (
            {"adminBasicAuth": "admin:hunter2"},
            "honeydue:adminBasicAuth has another format than lines of USER:HASH with a bcrypt or apr1 hash",
        ),
        ({"nodes": "hetzner1"}, "honeydue:nodes holds 'hetzner1'"),
    ],
)
def test_an_invalid_setting_is_one_line(changes: dict[str, Any], expected: str) -> None:
    errors = errors_of(changes)
    assert expected in errors
    assert errors.startswith("1 configuration error in stack prod. Nothing was contacted.")
    assert len(errors.splitlines()) == 2


def test_all_errors_are_reported_together() -> None:
    errors = errors_of(
        {"nodes/hetzner1/ipv4": "nope", "images/web": "latest", "domian": "x"}, without=("postgresPassword", "prices")
    )
    assert errors.startswith("5 configuration errors")
    for key in ("nodes.hetzner1.ipv4", "images.web", "domian", "postgresPassword", "prices"):
        assert f"honeydue:{key}" in errors


def test_a_misspelled_required_key_does_not_hide_other_errors() -> None:
    domain = example_settings()["honeydue:domain"]
    errors = errors_of({"domian": domain, "images/web": "latest", "scale": ["a"]}, without=("domain",))
    assert errors.startswith("4 configuration errors")
    for expected in ("honeydue:domian is not a setting: did you mean domain?", "honeydue:domain is missing: "):
        assert expected in errors


def test_an_empty_file_lists_all_required_keys() -> None:
    with pytest.raises(SettingsError) as error:
        run({})
    lines = str(error.value).splitlines()[1:]
    required = {field.alias for field in Settings.model_fields.values() if field.is_required()} | REQUIRED.keys()
    assert sorted(line.split()[0] for line in lines) == sorted(f"honeydue:{key}" for key in required)


def test_a_domain_that_cloudflare_does_not_have_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise Exception("invoke of cloudflare:index/getZone:getZone failed:\nfailed to find exactly one result")

    monkeypatch.setattr(cloudflare, "get_zone", fail)
    with pytest.raises(pulumi.RunError) as error:
        run(example_settings())
    assert re.match(r"honeydue:domain holds '[\w.-]+', and Cloudflare returned no such zone: ", str(error.value))
    assert "failed to find exactly one result" in str(error.value)
    assert "\n" not in str(error.value)


def test_an_unknown_redis_node_is_reported_with_other_errors() -> None:
    errors = errors_of({"redis/node": "elsewhere", "nodes/hetzner1/ipv4": "nope"})
    assert "elsewhere is not a node" in errors
    assert "honeydue:nodes.hetzner1.ipv4" in errors


def test_all_missing_keys_are_listed_with_the_command_that_sets_them() -> None:
    errors = errors_of({}, without=tuple(REQUIRED))
    for key, required in REQUIRED.items():
        assert f"honeydue:{key} is missing" in errors
        assert required.command in errors
    assert len(errors.splitlines()) == 1 + len(REQUIRED)


def test_empty_defaults_of_pulumi_yaml_are_missing() -> None:
    assert "honeydue:postgresPassword is missing" in errors_of({"postgresPassword": ""})
    assert "honeydue:sshKeys is missing" in errors_of({"sshKeys": {}})


def test_a_secret_in_plain_text_is_refused_without_being_printed() -> None:
    with pytest.raises(SettingsError) as error:
        run(example_settings(), plain_text=("postgresPassword",))
    assert "honeydue:postgresPassword is stored in plain text in the stack's file" in str(error.value)
    assert PLACEHOLDER not in str(error.value)


@pytest.mark.parametrize(
    "users",
    [
        "admin:$2y$05$" + "a" * 53,
        "admin:$apr1$honeydue$/Ixvcyl8fmxgnTteQe8ae0\nsecond:$2b$12$" + "b" * 53 + "\n",
    ],
)
def test_output_of_htpasswd_is_accepted(users: str) -> None:
    assert run({**example_settings(), "honeydue:adminBasicAuth": users}).resource("Secret", "admin-basic-auth")


@pytest.mark.parametrize(
    "users", ["hunter2", "admin:{SHA}hunter2", "admin:$2y$05$short", "admin:$2y$05$" + "a" * 53 + "\nsecond:hunter2"]
)
def test_other_password_files_are_refused_without_being_printed(users: str) -> None:
    assert "hunter2" not in (errors := errors_of({"adminBasicAuth": users}))
    assert "as htpasswd -nB USER prints them" in errors


def test_no_error_contains_a_secret() -> None:
    errors = errors_of(
        {
            "postgresPassword": "hunter2",
            "kubeconfig": "hunter3",
            "postgresPasswrod": "hunter4",
            "environment/POSTGRES_PASSWORD": "hunter5",
        }
    )
    assert "POSTGRES_PASSWORD comes from other settings" in errors
    assert "hunter" not in errors


def test_empty_cloudflare_ranges_are_refused() -> None:
    with pytest.raises(pulumi.RunError, match="0 IPv4 and 1 IPv6 ranges"):
        run(example_settings(), ranges={"ipv4Cidrs": [], "ipv6Cidrs": ["2400:cb00::/32"]})


def test_an_address_that_differs_at_hetzner_is_an_error() -> None:
    settings: dict[str, Any] = copy.deepcopy(example_settings())
    at_hetzner = copy.deepcopy(settings)
    at_hetzner["honeydue:nodes"]["hetzner2"]["ipv4"] = "203.0.113.9"
    with pytest.raises(
        pulumi.RunError,
        match=r"nodes\.hetzner2\.ipv4 expects 178\.105\.32\.198, "
        r"but primary IP hetzner2-ipv4 at Hetzner is 203\.0\.113\.9",
    ):
        run(settings, hetzner_settings=at_hetzner)


def test_a_renamed_key_is_refused_with_the_new_name() -> None:
    errors = errors_of({"cluster/founder": "hetzner1"}, without=("kubeconfig", "joinToken"))
    assert "honeydue:cluster.founder is now named honeydue:cluster.initNode" in errors
    assert errors.startswith("1 configuration error in stack prod.")


COMPARISONS = [
    (model, field, earlier)
    for model in (
        *(Settings, ClusterSettings, UpgradeSettings, Window, Autoscaling),
        *(ScaleUp, Connection, OtherWorkload, UptimeSettings),
    )
    for validator in model.__pydantic_decorators__.field_validators.values()
    for field in validator.info.fields
    for earlier in re.findall(r'info\.data(?:\.get\(|\[)"(\w+)"', inspect.getsource(validator.func))
]


def test_comparisons_contains_every_validator_that_reads_another_field() -> None:
    files = (ROOT / "infra/settings").glob("*.py")
    assert len(COMPARISONS) == sum(file.read_text().count('info.data.get("') for file in files)


@pytest.mark.parametrize(("model", "field", "earlier"), COMPARISONS)
def test_a_validator_reads_only_fields_that_are_declared_before(model: type[Model], field: str, earlier: str) -> None:
    """pydantic validates fields in this order. A validator cannot read a later field, and would accept any value."""
    order = list(model.model_fields)
    assert order.index(earlier) < order.index(field)
