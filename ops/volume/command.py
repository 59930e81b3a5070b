"""The `new-volume` command: an app whose volume was on a lost disk gets a new, empty one.

k3s' provisioner creates the folder of a `local` volume once, when its claim gets the volume. When the disk is lost,
nothing creates the folder again: the pod stays in ContainerCreating, and no plan contains a change. Only another claim
gets another volume.
"""

import sys
from collections.abc import Sequence

import click
from rich.console import Console
from tenacity import RetryError, Retrying, retry_if_result, stop_after_delay, wait_fixed

from infra.names import NAMESPACE
from ops import kubernetes, stackfile
from ops.confirmation import confirm
from ops.engine.stack import read_settings, state_resources
from ops.engine.update import apply, refresh_resources
from ops.errors import OpsError
from ops.guardrails.commands import stack_option
from ops.json_paths import dig
from ops.kubernetes import Cluster, Object
from ops.mounted_claims import mounted_claims
from ops.plan import State
from ops.resource_types import CLAIM, DEPLOYMENT
from ops.volume.loss import DataExistsError, Storage, node_of, reason_of_loss

DELETION_SECONDS = 180.0
"""The controller manager deletes the pods of a deleted Node within a minute."""
POLL_SECONDS = 1.0

console = Console(soft_wrap=True, highlight=False)


@click.command("new-volume")
@stack_option
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@click.option("--discard-data", is_flag=True, help="Delete data that exists. Otherwise the command refuses.")
@click.argument("app")
def new_volume(stack: str, app: str, yes: bool, discard_data: bool) -> None:
    """Give APP a new, empty volume, because the disk with its data is lost.

    Refuses while the data exists, or while it may return with its node. An interrupted command can be run again.
    """
    settings, claim = read_settings(stack), claim_of(app, state_resources(stack))
    name = str(dig(claim.inputs, "metadata", "name"))
    with kubernetes.connect(stack, settings) as cluster:
        console.print(f"{_reason(stack, read_storage(cluster, app, name), discard=discard_data)}.")
        console.print(f"A new claim {name} gets an empty volume.")
        if not yes:
            confirm(f"Give {app} of stack {stack} a new volume?")
        delete_claim(cluster, name)
    # An adopted claim names its volume. The new claim must not, so that the provisioner creates a volume for it.
    if dig(settings, "adopted", "volumes", app, "volume"):
        file = stackfile.settings_file(stack)
        stackfile.set_value(file, f"honeydue:adopted.volumes.{app}.volume", None)
        console.print(f"{file.name} no longer contains honeydue:adopted.volumes.{app}.volume.")
    refresh_resources(stack, [claim.urn])
    status = apply(stack, only=claim.urn)
    if status == 0:
        console.print(f"Created claim {name}. Next: kubectl -n {NAMESPACE} rollout status deployment/{app}")
    else:
        console.print(f"Claim {name} was deleted and not created again, as shown above. Next: make up STACK={stack}")
    sys.exit(status)


def _reason(stack: str, storage: Storage, *, discard: bool) -> str:
    try:
        return f"The data of {storage.app} is lost: {reason_of_loss(storage)}"
    except DataExistsError as error:
        if not discard:
            command = f"make new-volume STACK={stack} APP={storage.app} DISCARD_DATA=1"
            raise OpsError(f"{error}. To delete it: {command}") from None
        return f"The data of {storage.app} will be deleted: {error}"


def claim_of(app: str, resources: Sequence[State]) -> State:
    """The claim in the state that the app's Deployment mounts."""
    mounted = {
        name
        for deployment in resources
        if (deployment.type, dig(deployment.inputs, "metadata", "name")) == (DEPLOYMENT, app)
        for name in mounted_claims(dig(deployment.inputs, "spec", "template", "spec"))
    }
    claims = [state for state in resources if state.type == CLAIM and dig(state.inputs, "metadata", "name") in mounted]
    if len(claims) != 1:
        raise OpsError(
            f"the state contains no claim of an app named {app}. If an earlier run of this command was interrupted, "
            "make up creates the claim"
        )
    return claims[0]


def read_storage(cluster: Cluster, app: str, name: str) -> Storage:
    """Read a claim and the objects that depend on it from the cluster."""
    claim = cluster.get("v1", "PersistentVolumeClaim", NAMESPACE, name)
    volume_name = claim["spec"].get("volumeName") if claim else None
    volume = cluster.get("v1", "PersistentVolume", None, volume_name) if volume_name else None
    return Storage(
        app=app,
        claim=claim,
        volume=volume,
        node=cluster.get("v1", "Node", None, node_of(volume)) if volume else None,
        pods=_pods(cluster, name),
        events=cluster.list("v1", "Event", NAMESPACE),
    )


def delete_claim(cluster: Cluster, name: str) -> None:
    """Delete the claim and the pods that use it, and wait until the claim is gone.

    The API server keeps a claim while a pod uses it. Pods that are created in the meantime wait for the new claim.
    """
    if claim := cluster.get("v1", "PersistentVolumeClaim", NAMESPACE, name):
        cluster.delete("v1", "PersistentVolumeClaim", claim)
    for pod in _pods(cluster, name):
        cluster.delete("v1", "Pod", pod)
    try:
        Retrying(retry=retry_if_result(bool), stop=stop_after_delay(DELETION_SECONDS), wait=wait_fixed(POLL_SECONDS))(
            cluster.get, "v1", "PersistentVolumeClaim", NAMESPACE, name
        )
    except RetryError:
        pods = ", ".join(pod["metadata"]["name"] for pod in _pods(cluster, name))
        raise OpsError(
            f"claim {name} still exists after {DELETION_SECONDS / 60:.0f} minutes, because pods use it: {pods}. When "
            "they are gone, run the command again"
        ) from None


def _pods(cluster: Cluster, claim: str) -> Sequence[Object]:
    return [pod for pod in cluster.list("v1", "Pod", NAMESPACE) if claim in mounted_claims(pod["spec"])]
