"""The cluster's API must respond before a plan is used.

The Kubernetes provider does not fail a preview if it cannot reach the cluster: the plan has no change of any object,
and an `up` without changes stores the unusable kubeconfig.
"""

from collections.abc import Callable

from ops.engine.stack import Settings
from ops.errors import OpsError
from ops.guardrails.servers import created_servers
from ops.plan import Plan

_OBJECT = "kubernetes:"


def unreachable(stack: str, settings: Callable[[], Settings]) -> OpsError | None:
    """The error if the API does not respond to the kubeconfig in the settings, or to that of a bootstrapped cluster."""
    from ops.kubernetes import check_responds  # noqa: PLC0415  # the Kubernetes client is slow to import

    try:
        check_responds(stack, settings())
    except OpsError as error:
        return error
    return None


def must_respond(plan: Plan) -> bool:
    """Whether the plan depends on an API that responds.

    A kubeconfig in the settings is that of an existing cluster. A cluster that the program bootstraps has no API before
    its first objects exist, and may have none while a server is created again (docs/restore.md).
    """
    if plan.config.get("honeydue:kubeconfig"):
        return True
    return not created_servers(plan) and any(step.old and step.state.type.startswith(_OBJECT) for step in plan.steps)
