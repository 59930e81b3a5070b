"""Runs the real entry point under mocks, and keeps every registration with its options.

A test of a promise runs it with production's own settings, whatever they hold; one that expects values takes the settings of the tests.
"""

import asyncio
import gc
import json
import logging
import runpy
import sys
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from contextvars import copy_context
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pulumi
import yaml
from google.protobuf.struct_pb2 import Struct
from pulumi.runtime import mocks
from pulumi.runtime.proto import resource_pb2
from pulumi.runtime.stack import Stack, run_pulumi_func

from infra.cluster import kubeconfig
from infra.settings.secrets import SECRETS, required
from rehearsal.engine.placeholders import ADMIN_USERS
from tests.recipes import EXAMPLE, ROOT

# As Pulumi's own launcher does: a program that fails leaves futures nobody waits for.
logging.getLogger("asyncio").setLevel(logging.CRITICAL)

RANGES = {"ipv4Cidrs": ["173.245.48.0/20", "103.21.244.0/22"], "ipv6Cidrs": ["2400:cb00::/32"]}
PLACEHOLDER = "placeholder-of-"
TOKEN = f"K10{'0' * 64}::server:{PLACEHOLDER}joinToken"
COSIGN_KEY = "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE\n-----END PUBLIC KEY-----\n"
EQUIPMENT: Mapping[str, object] = {
    "honeydue:cosignPublicKey": COSIGN_KEY,
    "honeydue:upgrades": {
        "window": {"start": "02:00", "end": "05:00", "timeZone": "Europe/Berlin"},
        "k3s": ["sun"],
        "reboots": ["tue", "thu"],
    },
    "honeydue:snapshots": {"bucket": "honeyDueSnapshots"},
    "honeydue:snapshotKeyId": f"{PLACEHOLDER}snapshotKeyId",
    "honeydue:snapshotApplicationKey": f"{PLACEHOLDER}snapshotApplicationKey",
}
"""What the settings of the tests leave out."""


@dataclass(frozen=True, kw_only=True)
class Registration:
    """One registered resource: what the engine was asked for."""

    urn: str
    type: str
    name: str
    inputs: Mapping[str, Any]
    request: resource_pb2.RegisterResourceRequest

    @property
    def kind(self) -> str:
        return self.type.rsplit(":", 1)[-1]


MADE = {
    "tls:index/privateKey:PrivateKey": ("privateKeyPem",),
    "tls:index/selfSignedCert:SelfSignedCert": ("certPem",),
    "tls:index/certRequest:CertRequest": ("certRequestPem",),
    "tls:index/locallySignedCert:LocallySignedCert": ("certPem",),
    "random:index/randomPassword:RandomPassword": ("result",),
}


def production_settings() -> dict[str, object]:
    """Pulumi.prod.yaml, whatever it holds, completed."""
    return completed(ROOT / "Pulumi.prod.yaml")


def example_settings() -> dict[str, object]:
    """The settings of the tests, completed."""
    return completed(EXAMPLE / "Pulumi.prod.yaml")


def equipped_settings() -> dict[str, object]:
    """The settings of the tests with all that they leave out."""
    return {**example_settings(), **EQUIPMENT}


def completed(settings: Path) -> dict[str, object]:
    """A stack's settings, with a placeholder for what the repository cannot ship and for what is encrypted."""
    config: Mapping[str, Any] = yaml.load(settings.read_text(), yaml.CSafeLoader)["config"]
    shipped = {key: _decrypted(value, key.removeprefix("honeydue:")) for key, value in config.items()}
    founded_here = "initNode" in shipped["honeydue:cluster"]
    needed = required(bootstrapped=founded_here, snapshots="honeydue:snapshots" in shipped)
    missing: dict[str, object] = {f"honeydue:{key}": _placeholder(key) for key in needed}
    missing |= {"honeydue:adminEmail": "admin@example.com", "honeydue:emailUser": "mail@example.com"}
    missing |= {"honeydue:sshKeys": {"operator": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIG9wcw== operator"}}
    return missing | shipped


def _decrypted(value: Any, key: str) -> Any:
    """The value, with a placeholder wherever something is encrypted in it."""
    match value:
        case {"secure": _}:
            return _placeholder(key)
        case dict():
            return {name: _decrypted(one, key) for name, one in value.items()}
        case list():
            return [_decrypted(one, key) for one in value]
    return value


def _placeholder(key: str) -> str:
    """Of the shape that the program wants; it tells its key, so that a leak is found by searching for it."""
    return {"joinToken": TOKEN, "adminBasicAuth": ADMIN_USERS}.get(key, PLACEHOLDER + key)


class Clouds(mocks.Mocks):
    """Answers as little as the program needs: addresses as the settings expect them, and Cloudflare's lookups."""

    def __init__(
        self, settings: Mapping[str, object], *, ranges: Mapping[str, object], servers: Collection[str]
    ) -> None:
        nodes = settings["honeydue:nodes"]
        self._addresses = {alias: node.get("ipv4") for alias, node in nodes.items()} if isinstance(nodes, dict) else {}
        self._ranges = ranges
        self._servers = servers
        self._ids = iter(range(1, 10_000))

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        state = dict(args.inputs)
        if args.typ == "hcloud:index/primaryIp:PrimaryIp":
            state["ipAddress"] = self._addresses[args.name] or "203.0.113.1"
        # What the program reads of a thing that was made, where it needs more than that it is something.
        state |= {name: f"{name} of {args.name}\n" for name in MADE.get(args.typ, ())}
        return str(next(self._ids)), state

    def call(self, args: mocks.MockCallArgs) -> tuple[dict[str, Any], list[tuple[str, str]]]:
        match args.token:
            case "cloudflare:index/getIpRanges:getIpRanges":
                return dict(self._ranges), []
            case "hcloud:index/getServers:getServers":
                return {"servers": [{"name": name} for name in self._servers]}, []
            case "cloudflare:index/getZone:getZone":
                return {"zoneId": "023e105f4ecef8ad9ca31a8372d0c353"}, []
        raise NotImplementedError(args.token)


class Recorder(mocks.MockMonitor):
    """Keeps the requests, which the SDK's own monitor forgets."""

    def __init__(self, clouds: mocks.Mocks) -> None:
        super().__init__(clouds)
        self.registrations: list[Registration] = []

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802  # gRPC's name
        answer = super().RegisterResource(request)  # type: ignore[no-untyped-call]
        inputs = pulumi.runtime.rpc.deserialize_properties(request.object, keep_unknowns=True)
        self.registrations.append(
            Registration(urn=answer.urn, type=request.type, name=request.name, inputs=unwrap(inputs), request=request)
        )
        return answer


def unwrap(value: Any) -> Any:
    """Secrets opened, as tests look at what is inside; that they are secret is read from the request."""
    if isinstance(value, dict):
        if pulumi.runtime.rpc.is_rpc_secret(value):
            return unwrap(value["value"])
        return {key: unwrap(one) for key, one in value.items()}
    return [unwrap(one) for one in value] if isinstance(value, list) else value


def masked(request: Struct) -> Any:
    """The inputs of a registration as the engine shows them: "[secret]" for what is secret."""

    def mask(value: Any) -> Any:
        if pulumi.runtime.rpc.is_rpc_secret(value):
            return "[secret]"
        if isinstance(value, dict):
            return {key: mask(one) for key, one in value.items()}
        return [mask(one) for one in value] if isinstance(value, list) else value

    return mask(pulumi.runtime.rpc.deserialize_properties(request, keep_unknowns=True))


class Hooks:
    """Stands for the server that the engine would call back; the SDK starts it for a real engine alone."""

    def register_error_hook(self, hook: pulumi.ErrorHook) -> None:
        """Nothing to do: what hangs on a resource is read from its request."""


@dataclass(frozen=True, kw_only=True)
class Capture:
    """All that one run of the program registered, and what it exported."""

    settings: Mapping[str, Any]
    """What it ran with, by key."""
    registrations: tuple[Registration, ...]
    outputs: Mapping[str, Any]
    secret_outputs: frozenset[str]

    def of(self, kind: str) -> tuple[Registration, ...]:
        """Registrations of one kind, "Deployment" or "Server", components left out; never none."""
        found = tuple(one for one in self.registrations if one.kind == kind and one.request.custom)
        assert found, f"no {kind} was registered"
        return found

    def one(self, kind: str, name: str) -> Registration:
        (found,) = (one for one in self.of(kind) if one.name == name)
        return found


def run(
    settings: Mapping[str, object],
    *,
    ranges: Mapping[str, object] = RANGES,
    held_by_hetzner: Mapping[str, object] | None = None,
    servers: Collection[str] = (),
    plain_text: Collection[str] = (),
    preview: bool = False,
    checkout: Path = ROOT,
) -> Capture:
    """The program once, from top to bottom; its own errors come out as they are.

    `held_by_hetzner` are the settings whose addresses the cloud hands out, where they differ from the program's; `servers` are there
    already; `plain_text` are secret keys that somebody stored without encrypting them; `checkout` is the folder of the program.
    """
    # The SDK's futures belong to the loop they were made on: each run has its own, and none left by a failed one.
    pulumi.runtime.settings.SETTINGS.outputs.clear()
    pulumi.runtime.settings._get_rpc_manager().clear()
    with asyncio.Runner() as runner:
        asyncio.set_event_loop(runner.get_loop())
        recorder = Recorder(Clouds(held_by_hetzner or settings, ranges=ranges, servers=servers))
        mocks.set_mocks(recorder.mocks, project="honeydue", stack="prod", preview=preview, monitor=recorder)
        pulumi.runtime.settings.SETTINGS.callbacks = Hooks()
        pulumi.runtime.set_all_config(
            {key: value if isinstance(value, str) else json.dumps(value) for key, value in settings.items()},
            secret_keys=[f"honeydue:{key}" for key in SECRETS if key not in plain_text],
        )
        # A Runner keeps a context of its own; the SDK left its settings in this one.
        with _imported_from(checkout), patch.object(kubeconfig, "first_ready", _first):
            runner.run(run_pulumi_func(lambda: _declare(checkout)), context=copy_context())
        captured = runner.run(collect(recorder, settings), context=copy_context())
    _leave_modules_alone()
    return captured


@cache
def _leave_modules_alone() -> None:
    """After the first run: the garbage collector walked through all that the SDKs' modules hold, which took a third of each run."""
    gc.collect()
    gc.freeze()


def _declare(checkout: Path) -> None:
    runpy.run_path(str(checkout / "__main__.py"), run_name="__main__")


@contextmanager
def _imported_from(checkout: Path) -> Iterator[None]:
    """The package `infra` is that of the checkout."""
    if checkout == ROOT:
        yield
        return
    ours = {name: module for name, module in sys.modules.items() if name.partition(".")[0] == "infra"}
    for name in ours:
        del sys.modules[name]
    sys.path.insert(0, str(checkout))
    try:
        yield
    finally:
        sys.path.remove(str(checkout))
        for name in [name for name in sys.modules if name.partition(".")[0] == "infra"]:
            del sys.modules[name]
        sys.modules.update(ours)


def _first(addresses: Mapping[str, str], _: object) -> str:
    """Under mocks there is no API server to ask whether it is ready; tests/rehearsal asks real ones."""
    return next(iter(addresses.values()))


async def collect(recorder: Recorder, settings: Mapping[str, object]) -> Capture:
    """What was registered, and the stack's outputs, resolved."""
    stack = pulumi.runtime.get_root_resource()
    assert isinstance(stack, Stack)
    outputs = {name: pulumi.Output.from_input(value) for name, value in stack.outputs.items()}
    return Capture(
        settings=settings,
        # Without the stack itself, which the SDK registers in the first run of a process alone.
        registrations=tuple(one for one in recorder.registrations if one.kind != "Stack"),
        outputs={name: await output.future() for name, output in outputs.items()},
        secret_outputs=frozenset([name for name, output in outputs.items() if await output.is_secret()]),
    )
