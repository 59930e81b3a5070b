"""The engine's side of a provider plugin.

The plugin runs in this process, without gRPC. It sends its requests to clouds that are served on loopback.
"""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NoReturn, cast

import grpc
from google.protobuf import json_format, struct_pb2
from pulumi.runtime.proto import provider_pb2 as proto
from werkzeug.serving import BaseWSGIServer

from rehearsal.clouds import app, endpoints
from rehearsal.plugins.catalog import connector
from rehearsal.plugins.protocol import Servicer
from tests.unit.clouds.api import CLOUDFLARE_TOKEN, HETZNER_TOKEN, account

SECRET_SIGNATURE = "4dabf18193072939515e22adb298388d"
SECRET_MARK = "1b47061264138c4ac30d75fd1eb44270"
UNKNOWN_MARK = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
_CONFIGURATION: Final = {"hcloud": {"token": HETZNER_TOKEN}, "cloudflare": {"apiToken": CLOUDFLARE_TOKEN}}

Inputs = dict[str, Any]


def secret(value: Any) -> Inputs:
    """A secret value, as the engine encodes it."""
    return {SECRET_SIGNATURE: SECRET_MARK, "value": value}


def without_defaults(value: Any) -> Any:
    """Inputs as a refresh returns them: without the lists of inputs that the bridge added, which are empty."""
    if isinstance(value, dict):
        return {name: without_defaults(item) for name, item in value.items() if name != "__defaults"}
    return [without_defaults(item) for item in value] if isinstance(value, list) else value


def struct(values: Inputs) -> struct_pb2.Struct:
    result = struct_pb2.Struct()
    result.update(values)
    return result


def plain(values: struct_pb2.Struct) -> Inputs:
    return json_format.MessageToDict(values)


class ProviderError(Exception):
    """The error of the provider that the engine would print."""


class _Context:
    def abort(self, code: grpc.StatusCode, details: str) -> NoReturn:
        assert code is grpc.StatusCode.UNKNOWN
        raise ProviderError(details)


@dataclass(frozen=True)
class Resource:
    """A created resource, as in the state of the engine."""

    type: str
    id: str
    inputs: Inputs
    outputs: Inputs


class Engine:
    """Calls the operations of a plugin, as the engine does.

    The clouds in `folder` are served while this object exists. A folder without an account gets one.
    """

    def __init__(self, name: str, folder: Path) -> None:
        configuration: Inputs = _CONFIGURATION.get(name, {})
        urls: dict[str, str] = {}
        if configuration:
            if not (folder / "account.json").exists():
                account(folder)
            server = app.serve(folder)
            weakref.finalize(self, _stop, server)
            urls = endpoints.urls(server.server_port)
        self.servicer = Servicer(name, connector(urls))
        self.context = cast("grpc.ServicerContext", _Context())
        self.servicer.Configure(proto.ConfigureRequest(args=struct(configuration)), self.context)

    def check(self, type_: str, inputs: Inputs, *, name: str = "x", old: Inputs | None = None) -> proto.CheckResponse:
        request = proto.CheckRequest(
            urn=_urn(type_, name), type=type_, name=name, news=struct(inputs), olds=struct(old or {})
        )
        return self.servicer.Check(request, self.context)

    def reasons(self, type_: str, inputs: Inputs) -> list[str]:
        return [failure.reason for failure in self.check(type_, inputs).failures]

    def diff(self, resource: Resource, inputs: Inputs, *, ignored: Sequence[str] = ()) -> proto.DiffResponse:
        """Compares a resource with new inputs, of which the program ignores some (`ignoreChanges`)."""
        request = proto.DiffRequest(
            id=resource.id,
            urn=_urn(resource.type),
            type=resource.type,
            olds=struct(resource.outputs),
            old_inputs=struct(resource.inputs),
            news=self.check(resource.type, inputs, old=resource.inputs).inputs,
            ignoreChanges=ignored,
        )
        return self.servicer.Diff(request, self.context)

    def preview(self, type_: str, inputs: Inputs) -> Inputs:
        request = proto.CreateRequest(urn=_urn(type_), type=type_, properties=struct(inputs), preview=True)
        return plain(self.servicer.Create(request, self.context).properties)

    def create(self, type_: str, inputs: Inputs) -> Resource:
        checked = self.check(type_, inputs)
        assert not checked.failures, [failure.reason for failure in checked.failures]
        response = self.servicer.Create(
            proto.CreateRequest(urn=_urn(type_), type=type_, properties=checked.inputs), self.context
        )
        return Resource(type_, response.id, plain(checked.inputs), plain(response.properties))

    def read(self, resource: Resource) -> Resource | None:
        """Refreshes a resource. Returns None for a deleted one."""
        request = proto.ReadRequest(
            id=resource.id,
            urn=_urn(resource.type),
            type=resource.type,
            properties=struct(resource.outputs),
            inputs=struct(resource.inputs),
        )
        response = self.servicer.Read(request, self.context)
        return (
            Resource(resource.type, response.id, plain(response.inputs), plain(response.properties))
            if response.id
            else None
        )

    def import_(self, type_: str, id_: str) -> Resource | None:
        return self.read(Resource(type_, id_, {}, {}))

    def update(self, resource: Resource, inputs: Inputs) -> Resource:
        request = proto.UpdateRequest(
            id=resource.id,
            urn=_urn(resource.type),
            type=resource.type,
            olds=struct(resource.outputs),
            old_inputs=struct(resource.inputs),
            news=struct(inputs),
        )
        return Resource(
            resource.type, resource.id, inputs, plain(self.servicer.Update(request, self.context).properties)
        )

    def delete(self, resource: Resource) -> None:
        self.servicer.Delete(
            proto.DeleteRequest(
                id=resource.id, urn=_urn(resource.type), type=resource.type, properties=struct(resource.outputs)
            ),
            self.context,
        )

    def invoke(self, token: str, arguments: Inputs) -> Inputs:
        response = self.servicer.Invoke(proto.InvokeRequest(tok=token, args=struct(arguments)), self.context)
        return plain(getattr(response, "return"))


def provision(folder: Path, type_: str, inputs: Inputs) -> str:
    """Creates a resource with the simulated plugin before a test. Returns its ID."""
    return Engine(type_.partition(":")[0], folder).create(type_, inputs).id


def _stop(server: BaseWSGIServer) -> None:
    server.shutdown()
    server.server_close()


def _urn(type_: str, name: str = "x") -> str:
    return f"urn:pulumi:test::test::{type_}::{name}"
