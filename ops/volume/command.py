"""The `new-volume` command: an app whose volume was on a lost disk gets a new one, empty or with saved data.

k3s' provisioner creates the folder of a `local` volume once, when its claim gets the volume. When the disk is lost,
nothing creates the folder again: the pod stays in ContainerCreating, and no plan contains a change. Only another claim
gets another volume.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

import click
from rich.console import Console

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
from ops.queue.new_volume import SavedQueue, restore_queue
from ops.resource_types import CLAIM, DEPLOYMENT
from ops.volume.loss import DataExistsError, NoVolumeError, Storage, node_of, reason_of_loss
from ops.wait import wait_until

DELETION_SECONDS = 180.0
"""The controller manager deletes the pods of a deleted Node within a minute."""

console = Console(soft_wrap=True, highlight=False)


@click.command("new-volume")
@stack_option
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@click.option("--discard-data", is_flag=True, help="Delete data that exists. Otherwise the command refuses.")
@click.option(
    "--from",
    "file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="A file of `save-queue`, which is restored into the new volume of redis.",
)
@click.argument("app")
def new_volume(stack: str, app: str, yes: bool, discard_data: bool, file: Path | None) -> None:
    """Give APP a new volume, because the disk with its data is lost, or because its data was saved.

    Refuses while data exists that was not saved, or while it may return with its node. An interrupted command can be
    run again.
    """
    settings, resources = read_settings(stack), state_resources(stack)
    claim = claim_of(app, resources)
    name = str(dig(claim.inputs, "metadata", "name"))
    saved_queue = SavedQueue.open(file, app) if file else None
    with kubernetes.connect(stack, settings) as cluster:
        storage = read_storage(cluster, app, name)
        console.print(f"{_reason(stack, storage, saved_queue, cluster, discard=discard_data)}.")
        console.print(f"A new claim {name} gets an empty volume{saved_queue.description if saved_queue else ''}.")
        if not yes:
            confirm(f"Give {app} of stack {stack} a new volume?")
        if saved_queue:
            saved_queue.stop(cluster)
        delete_claim(cluster, name)
    # An adopted claim names its volume. The new claim must not, so that the provisioner creates a volume for it.
    if dig(settings, "adopted", "volumes", app, "volume"):
        settings_file = stackfile.settings_file(stack)
        stackfile.set_value(settings_file, f"honeydue:adopted.volumes.{app}.volume", None)
        console.print(f"{settings_file.name} no longer contains honeydue:adopted.volumes.{app}.volume.")
    refresh_resources(stack, [claim.urn])
    status = apply(stack, only=claim.urn)
    if status != 0:
        console.print(f"Claim {name} was deleted and not created again, as shown above. Next: make up STACK={stack}")
    elif saved_queue:
        status = restore_queue(stack, settings, saved_queue, deployment_of(app, resources))
    else:
        console.print(f"Created claim {name}. Next: kubectl -n {NAMESPACE} rollout status deployment/{app}")
    sys.exit(status)


def _reason(stack: str, storage: Storage, saved_queue: SavedQueue | None, cluster: Cluster, *, discard: bool) -> str:
    try:
        return f"The data of {storage.app} is lost: {reason_of_loss(storage)}"
    except NoVolumeError:
        if saved_queue is None:
            raise
        return f"The claim of {storage.app} has no volume yet"
    except DataExistsError as error:
        if saved_queue and saved_queue.is_current(cluster):
            return f"The data of {storage.app} is in {saved_queue.file}, and {storage.app} has not run since"
        if not discard:
            command = f"make new-volume STACK={stack} APP={storage.app} DISCARD_DATA=1"
            if saved_queue is None:
                raise OpsError(f"{error}. To delete it: {command}") from None
            raise OpsError(
                f"{error}, and {storage.app} was started after {saved_queue.file} was saved: the file lacks what was "
                f"written since. Save it again with make save-queue. To delete it: {command} FROM={saved_queue.file}"
            ) from None
        return f"The data of {storage.app} will be deleted: {error}"


def deployment_of(app: str, resources: Sequence[State]) -> State:
    """The Deployment of the app in the state."""
    return next(
        state for state in resources if (state.type, dig(state.inputs, "metadata", "name")) == (DEPLOYMENT, app)
    )


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
    if not wait_until(
        lambda: cluster.get("v1", "PersistentVolumeClaim", NAMESPACE, name) is None, seconds=DELETION_SECONDS
    ):
        pods = ", ".join(pod["metadata"]["name"] for pod in _pods(cluster, name))
        raise OpsError(
            f"claim {name} still exists after {DELETION_SECONDS / 60:.0f} minutes, because pods use it: {pods}. When "
            "they are gone, run the command again"
        )


def _pods(cluster: Cluster, claim: str) -> Sequence[Object]:
    return [pod for pod in cluster.list("v1", "Pod", NAMESPACE) if claim in mounted_claims(pod["spec"])]
