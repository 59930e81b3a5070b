"""Answers of the Hetzner Cloud API, as the real plugin reads and words them (hcloud-go, hcloud/error.go)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final, TypeVar
from urllib.parse import urlencode

from ..client import ApiError, Client
from ..kinds import Kind

_Result = TypeVar("_Result")


class _Hetzner:
    def result(self, content: Any) -> Any:  # noqa: ANN401  # JSON
        return content

    def error(self, method: str, url: str, status: int, content: Any) -> ApiError:  # noqa: ANN401  # JSON
        error = content.get("error") if isinstance(content, Mapping) else None
        if error is None:
            return ApiError(f"{method} {url}: server responded with status code {status}", status=status)
        return ApiError(f"{error['message']} ({error['code']})", status=status, code=error["code"])


VENDOR: Final = _Hetzner()


def wait(client: Client, *actions: Mapping[str, Any] | None) -> None:
    """Polls actions until all of them are completed; raises an ApiError if one failed.

    The real plugin waits half a second before each poll (hcloud-go, hcloud/action_waiter.go). A rehearsal does not.
    """
    pending = [action for action in actions if action is not None]
    while pending:
        for action in pending:
            if action["status"] == "error":
                error = action["error"]
                raise ApiError(f"{error['message']} ({error['code']}, {action['id']})", code=error["code"])
        ids = [("id", str(action["id"])) for action in pending if action["status"] == "running"]
        query = urlencode([*ids, ("sort", "status"), ("sort", "id")])
        pending = client.get(f"actions?{query}")["actions"] if ids else []


def act(client: Client, path: str, action: str, body: Mapping[str, Any] | None = None) -> None:
    """Starts an action of the object at `path`, and waits for it."""
    answer = client.post(f"{path}/actions/{action}", body)
    wait(client, *answer.get("actions", [answer.get("action")]))


def framework(kind: Kind) -> Kind:
    """A kind whose errors are worded as those of a resource of Terraform's plugin framework.

    See terraform-provider-hcloud, internal/util/hcloudutil/error_framework.go.
    """

    def reworded(operation: Callable[..., _Result]) -> Callable[..., _Result]:
        def call(*arguments: Any) -> _Result:  # noqa: ANN401  # those of the operation
            try:
                return operation(*arguments)
            except ApiError as error:
                if not error.code:
                    raise
                text = (
                    f"API request failed: An unexpected error was encountered during an API request.\n\n{error}\n\n"
                    f"Error code: {error.code}\nStatus code: {error.status}\n"
                )
                raise ApiError(text, status=error.status, code=error.code) from error

        return call

    return replace(
        kind,
        create=kind.create and reworded(kind.create),
        read=kind.read and reworded(kind.read),
        update=reworded(kind.update),
        delete=reworded(kind.delete),
    )
