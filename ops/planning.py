"""Computes a plan and checks the tokens of the settings at the same time.

The engine would report a missing right only when it reads or changes the first resource that needs it.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from ops.engine.stack import Settings
from ops.errors import OpsError

if TYPE_CHECKING:
    from ops.token_check import TokenErrors

Result = TypeVar("Result")


def plan_with_checked_tokens(
    plan: Callable[[], Result], settings: Callable[[], Settings], *, changes: bool
) -> tuple[Result, Sequence[str]]:
    """Return the plan, and the rights that a later `up` would lack.

    Raises an OpsError if a token is rejected. With `changes`, also if a token lacks a right that an `up` needs. This
    error replaces the error of the plan, because the plan failed for the same reason.
    """
    with ThreadPoolExecutor(max_workers=1) as executor:
        check = executor.submit(_check, settings)
        try:
            result = plan()
        finally:
            errors = check.result()
            if refused := [*errors.rejected, *(errors.cannot_change if changes else ())]:
                raise OpsError("\n".join(refused)) from None
    return result, errors.cannot_change


def _check(settings: Callable[[], Settings]) -> "TokenErrors":
    # Imported here, because the clouds' clients take a second to import. The engine runs in the meantime.
    from ops.token_check import TokenErrors, check_tokens  # noqa: PLC0415

    try:
        return check_tokens(settings())
    except OpsError:
        # The settings cannot be read. The plan reports it as well.
        return TokenErrors()
