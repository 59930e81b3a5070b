"""Pulumi's provider protocol (provider.proto), translated to and from `lifecycle.Provider`."""

# ruff: noqa: N802, ARG002 - names and signatures are the protocol's
from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, Protocol

import grpc
from google.protobuf import empty_pb2, struct_pb2
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc

from .differences import Difference
from .kinds import ApiError
from .lifecycle import Provider, RefusedError
from .store import BrokenStateError
from .values import Bag, decode, encode, masked

_KINDS: Final = {
    ("add", False): provider_pb2.PropertyDiff.ADD,
    ("add", True): provider_pb2.PropertyDiff.ADD_REPLACE,
    ("update", False): provider_pb2.PropertyDiff.UPDATE,
    ("update", True): provider_pb2.PropertyDiff.UPDATE_REPLACE,
    ("delete", False): provider_pb2.PropertyDiff.DELETE,
    ("delete", True): provider_pb2.PropertyDiff.DELETE_REPLACE,
}


class _OfResource(Protocol):
    """What the requests about a resource have in common."""

    urn: str
    type: str
    name: str


class Servicer(provider_pb2_grpc.ResourceProviderServicer):
    """The protocol's methods. Those not here (Parameterize, Construct, Call, GetMapping) are answered UNIMPLEMENTED."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider

    def Handshake(
        self, request: provider_pb2.ProviderHandshakeRequest, context: grpc.ServicerContext
    ) -> provider_pb2.ProviderHandshakeResponse:
        return provider_pb2.ProviderHandshakeResponse(accept_secrets=True)

    def GetPluginInfo(self, request: empty_pb2.Empty, context: grpc.ServicerContext) -> plugin_pb2.PluginInfo:
        return plugin_pb2.PluginInfo(version=self._provider.package.version)

    def GetSchema(
        self, request: provider_pb2.GetSchemaRequest, context: grpc.ServicerContext
    ) -> provider_pb2.GetSchemaResponse:
        package = self._provider.package
        return provider_pb2.GetSchemaResponse(schema=f'{{"name": "{package.name}", "version": "{package.version}"}}')

    def CheckConfig(
        self, request: provider_pb2.CheckRequest, context: grpc.ServicerContext
    ) -> provider_pb2.CheckResponse:
        return provider_pb2.CheckResponse(inputs=request.news)

    def DiffConfig(self, request: provider_pb2.DiffRequest, context: grpc.ServicerContext) -> provider_pb2.DiffResponse:
        # Another token is another way in, not another account: nothing is ever replaced for it.
        changed = decode(request.olds).values != decode(request.news).values
        some, none = provider_pb2.DiffResponse.DIFF_SOME, provider_pb2.DiffResponse.DIFF_NONE
        return provider_pb2.DiffResponse(changes=some if changed else none)

    def Configure(
        self, request: provider_pb2.ConfigureRequest, context: grpc.ServicerContext
    ) -> provider_pb2.ConfigureResponse:
        return provider_pb2.ConfigureResponse(acceptSecrets=True, supportsPreview=True, acceptResources=False)

    def Check(self, request: provider_pb2.CheckRequest, context: grpc.ServicerContext) -> provider_pb2.CheckResponse:
        news = decode(request.news)
        token, name = _named(request)
        with _errors(context, news):
            added, reasons = self._provider.check(token, name, decode(request.olds).values, news.values)
        inputs = struct_pb2.Struct()
        # Handed back as they came: secrets stay wrapped, unknowns stay unknown.
        inputs.CopyFrom(request.news)
        inputs.MergeFrom(encode(added))
        # `property` stays empty, as the real bridges leave it: the engine prints the value of the property it names, secret or not.
        failures = [provider_pb2.CheckFailure(reason=masked(reason, news)) for reason in reasons]
        return provider_pb2.CheckResponse(inputs=inputs, failures=failures)

    def Diff(self, request: provider_pb2.DiffRequest, context: grpc.ServicerContext) -> provider_pb2.DiffResponse:
        old = decode(request.old_inputs if request.old_inputs.fields else request.olds)
        news = decode(request.news)
        with _errors(context, news):
            found, delete_first = self._provider.diff(_named(request)[0], old.values, news.values)
        return _diff_response(found, delete_first=delete_first)

    def Create(self, request: provider_pb2.CreateRequest, context: grpc.ServicerContext) -> provider_pb2.CreateResponse:
        inputs = decode(request.properties)
        with _errors(context, inputs):
            id_, made = self._provider.create(_named(request)[0], inputs, preview=request.preview)
        return provider_pb2.CreateResponse(id=id_, properties=encode(made.values, made.secret))

    def Read(self, request: provider_pb2.ReadRequest, context: grpc.ServicerContext) -> provider_pb2.ReadResponse:
        inputs = decode(request.inputs)
        with _errors(context, inputs):
            found = self._provider.read(_named(request)[0], request.id, decode(request.properties), inputs)
        if found is None:
            return provider_pb2.ReadResponse(id="")
        return provider_pb2.ReadResponse(
            id=found.id,
            properties=encode(found.properties.values, found.properties.secret),
            inputs=encode(found.inputs.values, found.inputs.secret),
        )

    def Update(self, request: provider_pb2.UpdateRequest, context: grpc.ServicerContext) -> provider_pb2.UpdateResponse:
        inputs = decode(request.news)
        with _errors(context, inputs):
            made = self._provider.update(
                _named(request)[0], request.id, decode(request.olds), inputs, preview=request.preview
            )
        return provider_pb2.UpdateResponse(properties=encode(made.values, made.secret))

    def Delete(self, request: provider_pb2.DeleteRequest, context: grpc.ServicerContext) -> empty_pb2.Empty:
        old = decode(request.properties)
        with _errors(context, old):
            self._provider.delete(_named(request)[0], request.id, old.values)
        return empty_pb2.Empty()

    def Invoke(self, request: provider_pb2.InvokeRequest, context: grpc.ServicerContext) -> provider_pb2.InvokeResponse:
        arguments = decode(request.args)
        with _errors(context, arguments):
            answer = self._provider.invoke(request.tok, arguments.values)
        response = provider_pb2.InvokeResponse()
        # `return` is a word of Python's: the field can only be reached by name.
        getattr(response, "return").CopyFrom(encode(answer))
        return response

    def Cancel(self, request: empty_pb2.Empty, context: grpc.ServicerContext) -> empty_pb2.Empty:
        return empty_pb2.Empty()

    def Attach(self, request: plugin_pb2.PluginAttach, context: grpc.ServicerContext) -> empty_pb2.Empty:
        return empty_pb2.Empty()


def _named(request: _OfResource) -> tuple[str, str]:
    """Type and name of the resource of a request. Both are in its URN; older engines send nothing else."""
    kinds, _, name = request.urn.partition("::")[2].partition("::")[2].partition("::")
    return request.type or kinds.rpartition("$")[2], request.name or name


def _diff_response(found: list[Difference], *, delete_first: bool) -> provider_pb2.DiffResponse:
    return provider_pb2.DiffResponse(
        changes=provider_pb2.DiffResponse.DIFF_SOME if found else provider_pb2.DiffResponse.DIFF_NONE,
        replaces=sorted({difference.top for difference in found if difference.replaces}),
        diffs=sorted({difference.top for difference in found}),
        detailedDiff={
            difference.path: provider_pb2.PropertyDiff(
                kind=_KINDS[difference.change, difference.replaces], inputDiff=True
            )
            for difference in found
        },
        hasDetailedDiff=True,
        deleteBeforeReplace=delete_first,
    )


@contextmanager
def _errors(context: grpc.ServicerContext, shown: Bag) -> Iterator[None]:
    try:
        yield
    except (ApiError, RefusedError, BrokenStateError) as refused:
        # UNKNOWN is the code of the real bridges' errors: the engine shows the message as it is.
        context.abort(grpc.StatusCode.UNKNOWN, masked(str(refused), shown))
