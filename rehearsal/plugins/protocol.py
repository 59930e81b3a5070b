"""The gRPC service of Pulumi's provider protocol (provider.proto). It delegates to `provider.Provider`."""

# ruff: noqa: N802, ARG002 - the protocol defines the names and signatures
from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, Protocol

import grpc
from google.protobuf import empty_pb2, struct_pb2
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc

from .catalog import Connect, provider
from .client import ApiError
from .differences import Difference
from .provider import RefusedError
from .values import PropertyMap, Props, decode, encode, masked

_KINDS: Final = {
    ("add", False): provider_pb2.PropertyDiff.ADD,
    ("add", True): provider_pb2.PropertyDiff.ADD_REPLACE,
    ("update", False): provider_pb2.PropertyDiff.UPDATE,
    ("update", True): provider_pb2.PropertyDiff.UPDATE_REPLACE,
    ("delete", False): provider_pb2.PropertyDiff.DELETE,
    ("delete", True): provider_pb2.PropertyDiff.DELETE_REPLACE,
}


class _ResourceRequest(Protocol):
    """The common fields of requests for a resource."""

    urn: str
    type: str
    name: str


class Servicer(provider_pb2_grpc.ResourceProviderServicer):
    """The methods of the protocol. Parameterize, Construct, Call and GetMapping return UNIMPLEMENTED."""

    def __init__(self, name: str, connect: Connect) -> None:
        self._configuration: Props = {}
        self._provider = provider(name, lambda: connect(name, self._configuration))

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
        # A changed token never replaces resources: it gives access to the same account.
        changed = decode(request.olds).values != decode(request.news).values
        some, none = provider_pb2.DiffResponse.DIFF_SOME, provider_pb2.DiffResponse.DIFF_NONE
        return provider_pb2.DiffResponse(changes=some if changed else none)

    def Configure(
        self, request: provider_pb2.ConfigureRequest, context: grpc.ServicerContext
    ) -> provider_pb2.ConfigureResponse:
        self._configuration = decode(request.args).values
        return provider_pb2.ConfigureResponse(acceptSecrets=True, supportsPreview=True, acceptResources=False)

    def Check(self, request: provider_pb2.CheckRequest, context: grpc.ServicerContext) -> provider_pb2.CheckResponse:
        news = decode(request.news)
        token, name = _type_and_name(request)
        with _abort_on_error(context, news):
            added, messages = self._provider.check(token, name, decode(request.olds).values, news.values)
        inputs = struct_pb2.Struct()
        # A copy of the request keeps secrets wrapped and unknown values unknown.
        inputs.CopyFrom(request.news)
        inputs.MergeFrom(encode(added, news.secret))
        # `property` stays empty, as in the real bridges: the engine would print the value of that property, even a
        # secret.
        failures = [provider_pb2.CheckFailure(reason=masked(message, news)) for message in messages]
        return provider_pb2.CheckResponse(inputs=inputs, failures=failures)

    def Diff(self, request: provider_pb2.DiffRequest, context: grpc.ServicerContext) -> provider_pb2.DiffResponse:
        token, news = _type_and_name(request)[0], decode(request.news)
        with _abort_on_error(context, news):
            differences, delete_first = self._provider.diff(
                token, decode(request.olds).values, news.values, request.ignoreChanges
            )
        return _diff_response(differences, delete_first=delete_first, paths=self._provider.shows_paths(token))

    def Create(self, request: provider_pb2.CreateRequest, context: grpc.ServicerContext) -> provider_pb2.CreateResponse:
        inputs = decode(request.properties)
        with _abort_on_error(context, inputs):
            id_, created = self._provider.create(_type_and_name(request)[0], inputs, preview=request.preview)
        return provider_pb2.CreateResponse(id=id_, properties=encode(created.values, created.secret))

    def Read(self, request: provider_pb2.ReadRequest, context: grpc.ServicerContext) -> provider_pb2.ReadResponse:
        inputs = decode(request.inputs)
        with _abort_on_error(context, inputs):
            result = self._provider.read(_type_and_name(request)[0], request.id, decode(request.properties), inputs)
        if result is None:
            return provider_pb2.ReadResponse(id="")
        return provider_pb2.ReadResponse(
            id=result.id,
            properties=encode(result.properties.values, result.properties.secret),
            inputs=encode(result.inputs.values, result.inputs.secret),
        )

    def Update(self, request: provider_pb2.UpdateRequest, context: grpc.ServicerContext) -> provider_pb2.UpdateResponse:
        inputs = decode(request.news)
        with _abort_on_error(context, inputs):
            updated = self._provider.update(
                _type_and_name(request)[0], request.id, decode(request.olds), inputs, preview=request.preview
            )
        return provider_pb2.UpdateResponse(properties=encode(updated.values, updated.secret))

    def Delete(self, request: provider_pb2.DeleteRequest, context: grpc.ServicerContext) -> empty_pb2.Empty:
        old = decode(request.properties)
        with _abort_on_error(context, old):
            self._provider.delete(_type_and_name(request)[0], request.id, old.values)
        return empty_pb2.Empty()

    def Invoke(self, request: provider_pb2.InvokeRequest, context: grpc.ServicerContext) -> provider_pb2.InvokeResponse:
        arguments = decode(request.args)
        with _abort_on_error(context, arguments):
            answer = self._provider.invoke(request.tok, arguments.values)
        response = provider_pb2.InvokeResponse()
        # `return` is a keyword of Python: the field is only accessible by its name.
        getattr(response, "return").CopyFrom(encode(answer))
        return response

    def Cancel(self, request: empty_pb2.Empty, context: grpc.ServicerContext) -> empty_pb2.Empty:
        return empty_pb2.Empty()

    def Attach(self, request: plugin_pb2.PluginAttach, context: grpc.ServicerContext) -> empty_pb2.Empty:
        return empty_pb2.Empty()


def _type_and_name(request: _ResourceRequest) -> tuple[str, str]:
    """The type and the name of the resource. Older engines only send the URN, which contains both."""
    types, _, name = request.urn.partition("::")[2].partition("::")[2].partition("::")
    return request.type or types.rpartition("$")[2], request.name or name


def _diff_response(differences: list[Difference], *, delete_first: bool, paths: bool) -> provider_pb2.DiffResponse:
    detailed = {
        difference.path: provider_pb2.PropertyDiff(kind=_KINDS[difference.change, difference.replaces])
        for difference in differences
    }
    return provider_pb2.DiffResponse(
        changes=provider_pb2.DiffResponse.DIFF_SOME if differences else provider_pb2.DiffResponse.DIFF_NONE,
        replaces=sorted({difference.name for difference in differences if difference.replaces}),
        diffs=sorted({difference.name for difference in differences}),
        detailedDiff=detailed if paths else {},
        hasDetailedDiff=paths,
        deleteBeforeReplace=delete_first,
    )


@contextmanager
def _abort_on_error(context: grpc.ServicerContext, properties: PropertyMap) -> Iterator[None]:
    try:
        yield
    except (ApiError, RefusedError) as error:
        # The real bridges use the code UNKNOWN, for which the engine prints the message unchanged.
        context.abort(grpc.StatusCode.UNKNOWN, masked(str(error), properties))
