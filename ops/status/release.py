"""The lines about the release: whether the images of the settings run, in as many pods as they should."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from typing import get_args

from infra.names import NAMESPACE
from infra.settings.apps import App, Images
from ops.json_paths import dig
from ops.kubernetes import Cluster, Object
from ops.status.line import Line, problem

ENDED = ("Succeeded", "Failed")


def declared_images(images: Images) -> Mapping[str, str]:
    """The image of each app."""
    return {**{app: images.reference(app) for app in get_args(App)}, "redis": images.redis}


def release_lines(cluster: Cluster, images: Images) -> Iterator[Line]:
    """One line for each app."""
    deployments = {item["metadata"]["name"]: item for item in cluster.list("apps/v1", "Deployment", NAMESPACE)}
    pods = cluster.list("v1", "Pod", NAMESPACE)
    for app, declared in declared_images(images).items():
        deployment = deployments.get(app)
        if deployment is None:
            yield problem("release", f"{app}: the Deployment does not exist in {NAMESPACE}")
        else:
            yield _line(declared, deployment, running_images(deployment, pods))


def running_images(deployment: Object, pods: Collection[Object]) -> Collection[str]:
    """The images of the Deployment's pods, without those that are being deleted or have ended."""
    # A Deployment that was created by hand may only have expressions. Its pods are then left out.
    labels = dig(deployment, "spec", "selector", "matchLabels")
    selector = labels.items() if isinstance(labels, Mapping) else {("", "")}
    return [
        pod["spec"]["containers"][0]["image"]
        for pod in pods
        if selector <= (pod["metadata"].get("labels") or {}).items()
        and not pod["metadata"].get("deletionTimestamp")
        and dig(pod, "status", "phase") not in ENDED
    ]


def _line(declared: str, deployment: Object, running: Collection[str]) -> Line:
    wanted = deployment["spec"].get("replicas", 1)
    ready = (deployment.get("status") or {}).get("readyReplicas", 0)
    text = f"{short(declared)}, {ready} of {wanted} pods ready"
    if others := Counter(image for image in running if image != declared):
        shown = ", ".join(f"{short(image)} in {_pods(count)}" for image, count in sorted(others.items()))
        return problem("release", f"{text}; but {shown}, and the settings differ: make preview")
    # Nothing runs of an app that was scaled to 0 by hand.
    if ready < max(wanted, 1):
        return problem("release", text)
    return Line(subject="release", text=text)


def short(image: str) -> str:
    """The last part of an image reference, without the digest: "honeydue-api:12b2f9d43b"."""
    return image.rsplit("/", 1)[-1].partition("@")[0]


def _pods(count: int) -> str:
    return "1 pod" if count == 1 else f"{count} pods"
