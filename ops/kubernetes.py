"""The Kubernetes cluster, through its own Python client; the one place that knows that client, which has no types."""

import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import urllib3
import yaml
from kubernetes import config
from kubernetes.dynamic import DynamicClient
from kubernetes.dynamic.exceptions import (
    DynamicApiError,
    ForbiddenError,
    NotFoundError,
    ResourceNotFoundError,
    UnauthorizedError,
)

from infra.settings.secrets import SECRETS
from ops.errors import NotAllowedError, OpsError

Object = Mapping[str, Any]

TIMEOUT_SECONDS = 30.0
JSON_PATCH = "application/json-patch+json"


class Cluster:
    """Reads objects of any kind. Made by `reach`, which tells where it leads."""

    def __init__(self, client: Any, server: str) -> None:  # noqa: ANN401  # the client has no types
        self._client = client
        self._server = server

    @classmethod
    @contextmanager
    def reach(cls, kubeconfig: str, context: str) -> Iterator["Cluster"]:
        """The way there, for as long as the block runs. An OpsError when the kubeconfig leads nowhere, or nobody answers."""
        try:
            new_client: Any = config.new_client_from_config_dict
            api = new_client(yaml.safe_load(kubeconfig), context=context, persist_config=False)
        except (yaml.YAMLError, config.ConfigException, AttributeError, TypeError) as error:
            # The whole text of a YAML error would show the secret.
            what = error if isinstance(error, config.ConfigException) else "it is no kubeconfig"
            raise OpsError(
                f"honeydue:kubeconfig does not lead to context {context} ({what}): {SECRETS['kubeconfig'].command}"
            ) from None
        # urllib3's own retries would take a minute to say that nobody listens.
        api.configuration.retries = False
        server = str(api.configuration.host)
        with tempfile.TemporaryDirectory(prefix="honeydue-") as scratch, _readable_errors(server):
            # What the client finds out about the API's kinds it keeps in a file, which must not be that of an older cluster.
            dynamic: Any = DynamicClient
            yield cls(dynamic(api, cache_file=str(Path(scratch) / "kinds.json")), server)

    def get(self, api_version: str, kind: str, namespace: str | None, name: str) -> Object | None:
        """One object; None where there is none, or no such kind."""
        try:
            found = self._kind(api_version, kind).get(name=name, namespace=namespace, _request_timeout=TIMEOUT_SECONDS)
        except (NotFoundError, ResourceNotFoundError):
            return None
        return self._plain(found)

    def list(self, api_version: str, kind: str, namespace: str) -> Sequence[Object]:
        """All objects of a kind in a namespace. A NotAllowedError where the account may not list them."""
        with _readable_errors(self._server):
            try:
                found = self._kind(api_version, kind).get(namespace=namespace, _request_timeout=TIMEOUT_SECONDS)
            except (NotFoundError, ResourceNotFoundError):
                return ()
        items: Sequence[Object] = self._plain(found)["items"]
        return items

    def log(self, namespace: str, pod: str, *, lines: int) -> str:
        """The end of what a pod's container said."""
        found = self._kind("v1", "Pod").log.get(
            name=pod,
            namespace=namespace,
            query_params=[("tailLines", str(lines))],
            # A log is no JSON.
            serialize=False,
            _request_timeout=TIMEOUT_SECONDS,
        )
        said: bytes = found.data
        return said.decode(errors="replace")

    def patch(self, live: Object, operations: Sequence[Mapping[str, object]]) -> None:
        """Changes an object as it was read."""
        metadata = live["metadata"]
        self._kind(live["apiVersion"], live["kind"]).patch(
            body=list(operations),
            name=metadata["name"],
            namespace=metadata.get("namespace"),
            content_type=JSON_PATCH,
            _request_timeout=TIMEOUT_SECONDS,
        )

    def _kind(self, api_version: str, kind: str) -> Any:  # noqa: ANN401  # the client has no types
        return self._client.resources.get(api_version=api_version, kind=kind)

    @staticmethod
    def _plain(found: Any) -> Object:  # noqa: ANN401  # the client has no types
        plain: Object = found.to_dict()
        return plain


@contextmanager
def _readable_errors(server: str) -> Iterator[None]:
    try:
        yield
    except UnauthorizedError:
        raise OpsError(
            f"the API server at {server} refuses the certificate in honeydue:kubeconfig: {SECRETS['kubeconfig'].command}"
        ) from None
    except ForbiddenError as error:
        raise NotAllowedError(f"the kubeconfig may not do this, an administrator's is needed: {_said(error)}") from None
    except DynamicApiError as error:
        raise OpsError(f"the API server at {server} answers {error.status}: {_said(error)}") from None
    except urllib3.exceptions.HTTPError as error:
        raise OpsError(f"the API server at {server} cannot be reached ({type(error).__name__}); try again") from None


def _said(error: DynamicApiError) -> str:
    """The API server's own words."""
    try:
        return str(json.loads(error.body or "")["message"])
    except (ValueError, KeyError, TypeError):
        return str(error.reason)
