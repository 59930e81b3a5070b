"""Runs the program under Pulumi's mocks, and records every resource that it registers.

Tests of invariants run the program with the settings of production, and pass for any valid settings. Tests that expect
particular values use the example settings (tests/example), which are fixed.
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
from types import MappingProxyType
from typing import Any
from unittest.mock import patch

import pulumi
import yaml
from pulumi.runtime import mocks
from pulumi.runtime.proto import resource_pb2
from pulumi.runtime.stack import Stack, run_pulumi_func

from infra.cluster import kubeconfig
from infra.published_ranges import PUBLISHED_IPV4, PUBLISHED_IPV6
from infra.settings.secrets import SECRETS, required
from infra.settings.traces import conflicting_variables
from rehearsal.engine.placeholders import ADMIN_USERS
from tests.recipes import EXAMPLE, ROOT
from tests.unit.cloud_mocks import CloudMocks
from tests.unit.placeholders import APNS_KEY, OPTIONAL_SETTINGS, PLACEHOLDER, TOKEN, URLS

# Pulumi's launcher silences this logger too: a program that fails leaves futures that nothing awaits.
logging.getLogger("asyncio").setLevel(logging.CRITICAL)

RANGES = {"ipv4Cidrs": list(PUBLISHED_IPV4), "ipv6Cidrs": list(PUBLISHED_IPV6)}


@dataclass(frozen=True, kw_only=True)
class Registration:
    """One resource as the program registered it, with the request that the engine would receive."""

    urn: str
    type: str
    name: str
    inputs: Mapping[str, Any]
    request: resource_pb2.RegisterResourceRequest

    @property
    def kind(self) -> str:
        return self.type.rsplit(":", 1)[-1]


def production_settings() -> dict[str, object]:
    """Pulumi.prod.yaml, with placeholders for missing and encrypted values."""
    return with_placeholders(ROOT / "Pulumi.prod.yaml")


def example_settings() -> dict[str, object]:
    """The example settings, with placeholders for missing and encrypted values."""
    return with_placeholders(EXAMPLE / "Pulumi.prod.yaml")


def monitored_settings() -> dict[str, object]:
    """The example settings with monitoring and logs."""
    settings = ("monitoring", "metricsPassword", "alertWebhookUrl", "heartbeatUrl", "logs", "logsPassword")
    keys = [f"honeydue:{key}" for key in settings]
    return {**example_settings(), **{key: OPTIONAL_SETTINGS[key] for key in keys}}


def full_settings() -> dict[str, object]:
    """The example settings with all optional settings."""
    settings: dict[str, Any] = example_settings()
    environment = dict(settings["honeydue:environment"])
    for name in conflicting_variables(environment):
        del environment[name]
    return {**settings, "honeydue:environment": environment, **OPTIONAL_SETTINGS}


def with_placeholders(settings: Path) -> dict[str, object]:
    """Reads a stack's settings, with a placeholder for each encrypted value and each required value that is missing."""
    config: Mapping[str, Any] = yaml.load(settings.read_text(), yaml.CSafeLoader)["config"]
    stored = {key: _decrypted(value, key.removeprefix("honeydue:")) for key, value in config.items()}
    required_keys = required({key.removeprefix("honeydue:"): value for key, value in stored.items()})
    missing: dict[str, object] = {f"honeydue:{key}": _placeholder(key) for key in required_keys}
    missing |= {"honeydue:adminEmail": "admin@example.com", "honeydue:emailUser": "mail@example.com"}
    missing |= {"honeydue:sshKeys": {"operator": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIG9wcw== operator"}}
    return missing | stored


def _decrypted(value: Any, key: str) -> Any:
    """Replaces each encrypted value by a placeholder, at any depth."""
    match value:
        case {"secure": _}:
            return _placeholder(key)
        case dict():
            return {name: _decrypted(item, key) for name, item in value.items()}
        case list():
            return [_decrypted(item, key) for item in value]
    return value


def _placeholder(key: str) -> str:
    """A value in the format that the settings require. It contains its key, so that tests can search for a leak."""
    return {"joinToken": TOKEN, "adminBasicAuth": ADMIN_USERS, "apnsKey": APNS_KEY, **URLS}.get(key, PLACEHOLDER + key)


class Recorder(mocks.MockMonitor):
    """Records every registration. The mock monitor of the SDK does not keep the requests."""

    def __init__(self, clouds: mocks.Mocks) -> None:
        super().__init__(clouds)
        self.registrations: list[Registration] = []

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802  # gRPC defines this name
        response = super().RegisterResource(request)  # type: ignore[no-untyped-call]
        inputs = pulumi.runtime.rpc.deserialize_properties(request.object, keep_unknowns=True)
        self.registrations.append(
            Registration(urn=response.urn, type=request.type, name=request.name, inputs=unwrap(inputs), request=request)
        )
        return response


def unwrap(value: Any) -> Any:
    """Replaces each secret by its value. Whether a value is secret can be read from the request."""
    if isinstance(value, dict):
        if pulumi.runtime.rpc.is_rpc_secret(value):
            return unwrap(value["value"])
        return {key: unwrap(item) for key, item in value.items()}
    return [unwrap(item) for item in value] if isinstance(value, list) else value


class Hooks:
    """Replaces the callback server, which the SDK starts only for a real engine."""

    def register_error_hook(self, hook: pulumi.ErrorHook) -> None:
        """Does nothing: tests read the hooks of a resource from its request."""

    def register_resource_hook(self, hook: pulumi.ResourceHook) -> None:
        """Does nothing, like `register_error_hook`."""


@dataclass(frozen=True, kw_only=True)
class Capture:
    """The registrations and outputs of one run of the program."""

    settings: Mapping[str, Any]
    """The settings of the run, by key."""
    registrations: tuple[Registration, ...]
    outputs: Mapping[str, Any]
    secret_outputs: frozenset[str]

    def resources(self, kind: str) -> tuple[Registration, ...]:
        """All resources of a kind, such as "Deployment" or "Server", without components. Fails if there are none."""
        resources = tuple(entry for entry in self.registrations if entry.kind == kind and entry.request.custom)
        assert resources, f"no {kind} was registered"
        return resources

    def resource(self, kind: str, name: str) -> Registration:
        """The only resource of this kind and name."""
        (resource,) = (entry for entry in self.resources(kind) if entry.name == name)
        return resource


def run(
    settings: Mapping[str, object],
    *,
    ranges: Mapping[str, object] = RANGES,
    hetzner_settings: Mapping[str, object] | None = None,
    servers: Collection[str] = (),
    placement: Mapping[str, Collection[str]] = MappingProxyType({}),
    plain_text: Collection[str] = (),
    preview: bool = False,
    checkout: Path = ROOT,
) -> Capture:
    """Runs the program once. Its errors are raised unchanged.

    `ranges` are the CIDRs that Cloudflare publishes. `hetzner_settings` are settings with the addresses that Hetzner
    assigns, if they differ from those of the program. `servers` are the hostnames of servers that already exist.
    `placement` are the hostnames in each placement group, by its name. `plain_text` are keys of secrets that are stored
    without encryption. `checkout` is the folder of the program.
    """
    # The SDK's futures belong to an event loop. Each run needs its own loop, and no futures of a run that failed.
    pulumi.runtime.settings.SETTINGS.outputs.clear()
    pulumi.runtime.settings._get_rpc_manager().clear()
    with asyncio.Runner() as runner:
        asyncio.set_event_loop(runner.get_loop())
        clouds = CloudMocks(hetzner_settings or settings, ranges=ranges, servers=servers, placement=placement)
        recorder = Recorder(clouds)
        mocks.set_mocks(recorder.mocks, project="honeydue", stack="prod", preview=preview, monitor=recorder)
        pulumi.runtime.settings.SETTINGS.callbacks = Hooks()
        # The stack of the first run of a process is that of all runs. It keeps their outputs.
        if isinstance(root := pulumi.runtime.get_root_resource(), Stack):
            root.outputs.clear()
        pulumi.runtime.set_all_config(
            {key: value if isinstance(value, str) else json.dumps(value) for key, value in settings.items()},
            secret_keys=[f"honeydue:{key}" for key in SECRETS if key not in plain_text],
        )
        # A Runner has its own context; the SDK stored its settings in the current context.
        with _imported_from(checkout), patch.object(kubeconfig, "first_ready", _first_address):
            runner.run(run_pulumi_func(lambda: _declare(checkout)), context=copy_context())
        captured = runner.run(_collect(recorder, settings), context=copy_context())
    _exclude_modules_from_collection()
    return captured


@cache
def _exclude_modules_from_collection() -> None:
    """Excludes the SDKs' modules from garbage collection, which took a third of the time of each run."""
    gc.collect()
    gc.freeze()


def _declare(checkout: Path) -> None:
    runpy.run_path(str(checkout / "__main__.py"), run_name="__main__")


@contextmanager
def _imported_from(checkout: Path) -> Iterator[None]:
    """Imports the package `infra` from the checkout."""
    if checkout == ROOT:
        yield
        return
    modules = {name: module for name, module in sys.modules.items() if name.partition(".")[0] == "infra"}
    for name in modules:
        del sys.modules[name]
    sys.path.insert(0, str(checkout))
    try:
        yield
    finally:
        sys.path.remove(str(checkout))
        for name in [name for name in sys.modules if name.partition(".")[0] == "infra"]:
            del sys.modules[name]
        sys.modules.update(modules)


def _first_address(addresses: Mapping[str, str], _: object) -> str:
    """Replaces the readiness check, as mocks have no API server. tests/rehearsal checks real API servers."""
    return next(iter(addresses.values()))


async def _collect(recorder: Recorder, settings: Mapping[str, object]) -> Capture:
    """Returns the registrations and the resolved outputs of the stack."""
    stack = pulumi.runtime.get_root_resource()
    assert isinstance(stack, Stack)
    outputs = {name: pulumi.Output.from_input(value) for name, value in stack.outputs.items()}
    return Capture(
        settings=settings,
        # Without the stack, which the SDK registers only in the first run of a process.
        registrations=tuple(entry for entry in recorder.registrations if entry.kind != "Stack"),
        outputs={name: await output.future() for name, output in outputs.items()},
        secret_outputs=frozenset([name for name, output in outputs.items() if await output.is_secret()]),
    )
