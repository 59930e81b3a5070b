"""The engine's side of a simulated provider, called in process: what travels is what would travel by gRPC."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, cast

import grpc
from google.protobuf import json_format, struct_pb2
from pulumi.runtime.proto import provider_pb2 as proto

from rehearsal.clouds.account import Account, IpRanges, write_account
from rehearsal.clouds.catalog import provider
from rehearsal.clouds.protocol import Servicer

SECRET_SIGNATURE = "4dabf18193072939515e22adb298388d"
SECRET_MARK = "1b47061264138c4ac30d75fd1eb44270"
UNKNOWN_MARK = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"

ZONE_ID = "023e105f4ecef8ad9ca31a8372d0c353"
ZONE = "myhoneydue.com"

Inputs = dict[str, Any]


def secret(value: Any) -> Inputs:
    """A value as the engine wraps a secret."""
    return {SECRET_SIGNATURE: SECRET_MARK, "value": value}


def struct(values: Inputs) -> struct_pb2.Struct:
    made = struct_pb2.Struct()
    made.update(values)
    return made


def plain(values: struct_pb2.Struct) -> Inputs:
    return json_format.MessageToDict(values)


class ProviderError(Exception):
    """What the engine would show as the provider's error."""


class _Context:
    def abort(self, code: grpc.StatusCode, details: str) -> NoReturn:
        assert code is grpc.StatusCode.UNKNOWN
        raise ProviderError(details)


@dataclass(frozen=True)
class Thing:
    """A created resource, as the engine keeps it."""

    type: str
    id: str
    inputs: Inputs
    outputs: Inputs


class Engine:
    """Check, create and the rest, in the order in which the engine calls them."""

    def __init__(self, name: str, folder: Path) -> None:
        self.servicer = Servicer(provider(name, folder=folder))
        self.context = cast("grpc.ServicerContext", _Context())

    def check(self, type_: str, inputs: Inputs, *, name: str = "x", old: Inputs | None = None) -> proto.CheckResponse:
        request = proto.CheckRequest(
            urn=_urn(type_, name), type=type_, name=name, news=struct(inputs), olds=struct(old or {})
        )
        return self.servicer.Check(request, self.context)

    def reasons(self, type_: str, inputs: Inputs) -> list[str]:
        return [failure.reason for failure in self.check(type_, inputs).failures]

    def diff(self, type_: str, old: Inputs, new: Inputs) -> proto.DiffResponse:
        request = proto.DiffRequest(
            id="1", urn=_urn(type_), type=type_, olds=struct(old), old_inputs=struct(old), news=struct(new)
        )
        return self.servicer.Diff(request, self.context)

    def preview(self, type_: str, inputs: Inputs) -> Inputs:
        request = proto.CreateRequest(urn=_urn(type_), type=type_, properties=struct(inputs), preview=True)
        return plain(self.servicer.Create(request, self.context).properties)

    def create(self, type_: str, inputs: Inputs) -> Thing:
        checked = self.check(type_, inputs)
        assert not checked.failures, [failure.reason for failure in checked.failures]
        answer = self.servicer.Create(
            proto.CreateRequest(urn=_urn(type_), type=type_, properties=checked.inputs), self.context
        )
        return Thing(type_, answer.id, plain(checked.inputs), plain(answer.properties))

    def read(self, thing: Thing) -> Thing | None:
        """A refresh."""
        request = proto.ReadRequest(
            id=thing.id,
            urn=_urn(thing.type),
            type=thing.type,
            properties=struct(thing.outputs),
            inputs=struct(thing.inputs),
        )
        answer = self.servicer.Read(request, self.context)
        return Thing(thing.type, answer.id, plain(answer.inputs), plain(answer.properties)) if answer.id else None

    def import_(self, type_: str, id_: str) -> Thing | None:
        return self.read(Thing(type_, id_, {}, {}))

    def update(self, thing: Thing, inputs: Inputs) -> Thing:
        request = proto.UpdateRequest(
            id=thing.id,
            urn=_urn(thing.type),
            type=thing.type,
            olds=struct(thing.outputs),
            old_inputs=struct(thing.inputs),
            news=struct(inputs),
        )
        return Thing(thing.type, thing.id, inputs, plain(self.servicer.Update(request, self.context).properties))

    def delete(self, thing: Thing) -> None:
        self.servicer.Delete(
            proto.DeleteRequest(id=thing.id, urn=_urn(thing.type), type=thing.type, properties=struct(thing.outputs)),
            self.context,
        )

    def invoke(self, token: str, arguments: Inputs) -> Inputs:
        answer = self.servicer.Invoke(proto.InvokeRequest(tok=token, args=struct(arguments)), self.context)
        return plain(getattr(answer, "return"))


def account(folder: Path, *, addresses: dict[str, str] | None = None, ranges: IpRanges | None = None) -> None:
    """An account with one zone."""
    write_account(folder, Account(addresses=addresses or {}, zones={ZONE: ZONE_ID}, ip_ranges=ranges or IpRanges()))


def _urn(type_: str, name: str = "x") -> str:
    return f"urn:pulumi:test::test::{type_}::{name}"
