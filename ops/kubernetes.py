"""The Kubernetes API of a stack's cluster. Only this module uses the Kubernetes Python client, which has no types."""

import json
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import urllib3
import yaml
from kubernetes import client, config
from kubernetes.dynamic import DynamicClient, exceptions
from kubernetes.utils.quantity import parse_quantity

from infra.kubeconfig import PORT, NotReadyError, credentials_of, first_ready, inline_kubeconfig
from infra.kubernetes_client import api_client
from infra.settings.secrets import SECRETS
from infra.settings.topology import ClusterSettings
from ops.engine.stack import Settings, read_output
from ops.errors import ForbiddenError, OpsError

Object = Mapping[str, Any]
"""A Kubernetes object as JSON."""
Operation = Mapping[str, object]
"""One operation of a JSON Patch."""

DEFAULT_CONTEXT: str = ClusterSettings.model_fields["context"].default
TIMEOUT_SECONDS = 30.0
CERTIFICATE_ERRORS = re.compile("cert|key|pem|x509", re.IGNORECASE)
"""What OpenSSL's message contains if a certificate or key is the cause, and not a server that ends the connection."""
JSON_PATCH = "application/json-patch+json"


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where a kubeconfig comes from, and what an operator does if the API server rejects it."""

    name: str
    fix: str


SETTING = Source(name="honeydue:kubeconfig", fix=SECRETS["kubeconfig"].command)
STATE = Source(
    name="the state of the stack",
    fix="the cluster has another certificate authority than the state. Run pulumi login with the backend that has the "
    "current state of this cluster. After a restore, see docs/restore.md",
)
"""A cluster that the program bootstrapped has no setting with a kubeconfig."""


def source_of(settings: Settings) -> Source:
    """The source of the kubeconfig that `kubeconfig_and_context` returns."""
    return SETTING if settings.get("kubeconfig") else STATE


class Cluster:
    """Reads, patches and deletes objects of any kind. Created with `connect`."""

    def __init__(self, client: Any, server: str, source: Source = SETTING) -> None:  # noqa: ANN401  # has no types
        self._client = client
        self._server = server
        self._source = source

    @classmethod
    @contextmanager
    def connect(cls, kubeconfig: str, context: str, source: Source = SETTING) -> Iterator["Cluster"]:
        """Connect for the duration of the block. Raises an OpsError if it fails."""
        api = _api_client(kubeconfig, context, source)
        server = str(api.configuration.host)
        with tempfile.TemporaryDirectory(prefix="honeydue-") as folder, _readable_errors(server, source):
            _request_version(api, source)
            # The client caches the API's resource types in a file. The default file may be from another cluster.
            dynamic: Any = DynamicClient
            yield cls(dynamic(api, cache_file=str(Path(folder) / "kinds.json")), server, source)

    def get(self, api_version: str, kind: str, namespace: str | None, name: str) -> Object | None:
        """One object, or None if the object or its kind does not exist."""
        try:
            response = self._kind(api_version, kind).get(
                name=name, namespace=namespace, _request_timeout=TIMEOUT_SECONDS
            )
        except (exceptions.NotFoundError, exceptions.ResourceNotFoundError):
            return None
        return self._json(response)

    def list(self, api_version: str, kind: str, namespace: str) -> Sequence[Object]:
        """All objects of a kind in a namespace. Raises a ForbiddenError if the account may not list them."""
        return self._items(api_version, kind, namespace)

    def nodes(self) -> Sequence[Object]:
        """All Nodes. Raises a ForbiddenError if the account may not list them."""
        return self._items("v1", "Node", None)

    def list_everywhere(self, api_version: str, kind: str) -> Sequence[Object]:
        """All objects of a kind in all namespaces. Raises a ForbiddenError if the account may not list them."""
        return self._items(api_version, kind, None)

    def _items(self, api_version: str, kind: str, namespace: str | None) -> Sequence[Object]:
        with _readable_errors(self._server, self._source):
            try:
                response = self._kind(api_version, kind).get(
                    namespace=namespace,
                    # The client would convert every value to an object of its own, and back.
                    serialize=False,
                    _request_timeout=TIMEOUT_SECONDS,
                )
            except (exceptions.NotFoundError, exceptions.ResourceNotFoundError):
                return ()
        items: Sequence[Object] = json.loads(response.data)["items"]
        return items

    def log(self, namespace: str, pod: str, *, lines: int | None = None, since_seconds: int | None = None) -> str:
        """A pod's log: its last lines, or its lines of the last seconds."""
        options = {"tailLines": lines, "sinceSeconds": since_seconds}
        response = self._kind("v1", "Pod").log.get(
            name=pod,
            namespace=namespace,
            query_params=[(name, str(value)) for name, value in options.items() if value is not None],
            # A log is not JSON.
            serialize=False,
            _request_timeout=TIMEOUT_SECONDS,
        )
        content: bytes = response.data
        return content.decode(errors="replace")

    def patch(self, live: Object, operations: Sequence[Operation], *, manager: str | None = None) -> Object:
        """Apply JSON Patch operations to an object that was read before, and return the result.

        `manager` becomes the field manager of the values that the operations set.
        """
        metadata = live["metadata"]
        with _readable_errors(self._server, self._source):
            response = self._kind(live["apiVersion"], live["kind"]).patch(
                body=list(operations),
                name=metadata["name"],
                namespace=metadata.get("namespace"),
                content_type=JSON_PATCH,
                field_manager=manager,
                _request_timeout=TIMEOUT_SECONDS,
            )
        return self._json(response)

    def create(self, content: Object) -> Object:
        """Create an object, and return it."""
        with _readable_errors(self._server, self._source):
            response = self._kind(content["apiVersion"], content["kind"]).create(
                body=content, namespace=content["metadata"].get("namespace"), _request_timeout=TIMEOUT_SECONDS
            )
        return self._json(response)

    def delete(self, api_version: str, kind: str, live: Object, *, propagation: str | None = None) -> None:
        """Delete an object that was read before, unless it was replaced or deleted since.

        The version and kind are parameters, because the items of a list do not contain them. `propagation` is what
        happens to the objects that it owns, by default what the API server chooses.
        """
        metadata = live["metadata"]
        with _readable_errors(self._server, self._source):
            try:
                self._kind(api_version, kind).delete(
                    name=metadata["name"],
                    namespace=metadata.get("namespace"),
                    body={
                        "preconditions": {"uid": metadata["uid"]},
                        **({"propagationPolicy": propagation} if propagation else {}),
                    },
                    _request_timeout=TIMEOUT_SECONDS,
                )
            except (exceptions.NotFoundError, exceptions.ConflictError):
                return

    def _kind(self, api_version: str, kind: str) -> Any:  # noqa: ANN401  # the client has no types
        return self._client.resources.get(api_version=api_version, kind=kind)

    @staticmethod
    def _json(response: Any) -> Object:  # noqa: ANN401  # the client has no types
        content: Object = response.to_dict()
        return content


def amount(quantity: str) -> Decimal:
    """A quantity such as "500m" or "128Mi" as a number."""
    parse: Any = parse_quantity
    value: Decimal = parse(quantity)
    return value


def unchanged(live: Object) -> Operation:
    """The operation that ends a patch if the object changed since it was read."""
    return {"op": "test", "path": "/metadata/resourceVersion", "value": live["metadata"]["resourceVersion"]}


def connect(stack: str, settings: Settings) -> AbstractContextManager[Cluster]:
    """Connect to the stack's cluster."""
    return Cluster.connect(*kubeconfig_and_context(stack, settings), source_of(settings))


def check_responds(stack: str, settings: Settings) -> None:
    """Raise an OpsError if the API server of the stack's cluster cannot be reached, or rejects the credentials."""
    source = source_of(settings)
    api = _api_client(*kubeconfig_and_context(stack, settings), source)
    with _readable_errors(str(api.configuration.host), source):
        _request_version(api, source)


def kubeconfig_and_context(stack: str, settings: Settings) -> tuple[str, str]:
    """The stack's kubeconfig, and its context. The kubeconfig is secret: never print it.

    It is the one in the settings, or the stack's output if the program bootstrapped the cluster. The output contains
    one server, which may be down, so its address is replaced by that of the first server that is ready.
    """
    cluster = settings.get("cluster")
    # Not validated: an invalid setting is an error of the plan, together with all others.
    context = str(cluster.get("context", DEFAULT_CONTEXT) if isinstance(cluster, Mapping) else DEFAULT_CONTEXT)
    if kubeconfig := settings.get("kubeconfig"):
        return str(kubeconfig), context
    output = read_output(stack, "kubeconfig")
    credentials = credentials_of(output)
    try:
        address = first_ready(json.loads(read_output(stack, "nodes")), credentials)
    except NotReadyError:
        return output, context
    return inline_kubeconfig(credentials, server=f"https://{address}:{PORT}", context=context), context


def _api_client(kubeconfig: str, context: str, source: Source) -> Any:  # noqa: ANN401  # the client has no types
    try:
        return api_client(kubeconfig, context)
    except (yaml.YAMLError, config.ConfigException, AttributeError, TypeError, ValueError) as error:
        # A YAML error quotes the kubeconfig, which is secret.
        reason = error if isinstance(error, config.ConfigException) else "it is not a kubeconfig"
        raise OpsError(f"{source.name} has no usable context {context} ({reason}): {source.fix}") from None


def _request_version(api: Any, source: Source) -> None:  # noqa: ANN401  # the client has no types
    """Request the version, with a timeout: the requests of DynamicClient for the resource types have none."""
    try:
        client.VersionApi(api).get_code(_request_timeout=TIMEOUT_SECONDS)
    except client.ApiException as error:
        if not error.status:  # an error of TLS
            reason = str(error.reason).splitlines()[-1]
            if not CERTIFICATE_ERRORS.search(reason):
                raise OpsError(
                    f"the API server at {api.configuration.host} cannot be reached ({reason}); try again"
                ) from None
            raise OpsError(
                f"no TLS connection to the API server at {api.configuration.host} with the certificates in "
                f"{source.name} ({reason}): {source.fix}"
            ) from None
        to_dynamic: Any = exceptions.api_exception
        raise to_dynamic(error) from None


@contextmanager
def _readable_errors(server: str, source: Source) -> Iterator[None]:
    try:
        yield
    except exceptions.UnauthorizedError:
        raise OpsError(f"the API server at {server} rejects the credentials in {source.name}: {source.fix}") from None
    except exceptions.ForbiddenError as error:
        raise ForbiddenError(
            f"the account in {source.name} lacks a permission, use an administrator's: {_message(error)}"
        ) from None
    except exceptions.DynamicApiError as error:
        raise OpsError(f"the API server at {server} returned {error.status}: {_message(error)}") from None
    except urllib3.exceptions.HTTPError as error:
        raise OpsError(f"the API server at {server} cannot be reached ({type(error).__name__}); try again") from None


def _message(error: exceptions.DynamicApiError) -> str:
    """The message in the API server's response."""
    try:
        return str(json.loads(error.body or "")["message"])
    except (ValueError, KeyError, TypeError):
        return str(error.reason)
