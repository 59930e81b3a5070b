"""Reads the options of the running servers in which a new server must not differ (infra/settings/shared_options.py).

k3s records the options of each server in an annotation of its Node: those of the command line and of the configuration
files (`getNodeArgs` in pkg/nodeconfig/nodeconfig.go of github.com/k3s-io/k3s).
"""

import json
from collections.abc import Mapping, Sequence
from ipaddress import ip_network
from itertools import pairwise

from pydantic import JsonValue, ValidationError

from infra.settings.messages import message
from infra.settings.shared_options import SharedOption, shared_options
from infra.settings.topology import ClusterSettings
from ops.errors import OpsError
from ops.json_paths import dig
from ops.kubernetes import Cluster

ANNOTATION = "k3s.io/node-args"
DNS_ADDRESS = 10
"""k3s' DNS Service has this address of the service CIDR, unless an option sets another."""
UNSUPPORTED = {
    "agent-token": "a new server would need the same token, for which the program has no setting",
    "agent-token-file": "a new server would need the same token, for which the program has no setting",
    "disable-helm-controller": "Traefik's values and the upgrade controller need k3s' Helm controller",
    "disable-network-policy": "the program's network policies need k3s' network policy controller",
}
"""Options that a server of a cluster of this program must not have, and the reasons."""

Options = Mapping[str, Sequence[str]]
"""The values of each option."""


def server_options(cluster: Cluster) -> Mapping[str, Options]:
    """The options of each running server that records them, by the name of its Node."""
    return {
        str(dig(node, "metadata", "name")): parse(arguments[1:])
        for node in cluster.nodes()
        if (arguments := _arguments(node)) and arguments[0] == "server"
    }


def _arguments(node: Mapping[str, JsonValue]) -> Sequence[str]:
    text = dig(node, "metadata", "annotations", ANNOTATION)
    return [str(argument) for argument in json.loads(text)] if isinstance(text, str) else []


def parse(arguments: Sequence[str]) -> Options:
    """The values of each option. An option without a value is a flag that is set."""
    options: dict[str, list[str]] = {}
    for argument, value in pairwise([*arguments, "--"]):
        if argument.startswith("--"):
            options.setdefault(argument.removeprefix("--"), []).append("true" if value.startswith("--") else value)
    return options


def changed_settings(servers: Mapping[str, Options], declared: JsonValue) -> Mapping[str, object]:
    """The values of `honeydue:cluster` that differ from the options of the servers, by key.

    Raises an OpsError if the servers differ from each other, or if a new server could not have their options.
    """
    for node, options in servers.items():
        for name in UNSUPPORTED.keys() & options.keys():
            if options[name][-1] != "false":
                raise OpsError(
                    f"k3s on {node} has the option {name}: {UNSUPPORTED[name]}. "
                    "Remove the option from all servers first"
                )
    effective = {node: _settings(options) for node, options in servers.items()}
    if not effective:
        return {}
    first, values = next(iter(effective.items()))
    for node, others in effective.items():
        if different := [name for name, value in others.items() if values[name] != value]:
            raise OpsError(
                f"k3s on {node} and {first} has different values of {', '.join(different)}, and refuses a new server "
                "that differs from one of them. Give all servers the same options first"
            )
    keys = {field: ClusterSettings.model_fields[field].alias or field for field in shared_options(ClusterSettings)}
    old = ClusterSettings.model_validate(declared).model_dump(mode="json")
    running = {keys[field]: values[option.name] for field, option in shared_options(ClusterSettings).items()}
    try:
        new = ClusterSettings.model_validate({**_mapping(declared), **running}).model_dump(mode="json")
    except ValidationError as error:
        details = error.errors()[0]
        setting = message({**details, "loc": ("cluster", *details["loc"])})
        raise OpsError(f"k3s on {first} has an option that the program does not support: {setting}") from None
    return {key: new[field] for field, key in keys.items() if new[field] != old[field]}


def _settings(options: Options) -> Mapping[str, object]:
    """The value of each shared option on a server, as text or as a boolean."""
    values = {option.name: _value(option, options) for option in shared_options(ClusterSettings).values()}
    if values["cluster-dns"] is None:
        services = str(values["service-cidr"]).partition(",")[0]
        values["cluster-dns"] = str(ip_network(services, strict=False)[DNS_ADDRESS])
    return values


def _value(option: SharedOption, options: Options) -> object:
    given = options.get(option.name, ())
    if option.component:
        return option.component in [part.strip() for value in given for part in value.split(",")]
    if not given:
        return option.default
    return given[-1] != "false" if isinstance(option.default, bool) else ",".join(given)


def _mapping(value: JsonValue) -> Mapping[str, JsonValue]:
    return value if isinstance(value, dict) else {}
