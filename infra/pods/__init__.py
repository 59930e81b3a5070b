"""The hardened pod spec, which the apps and the parts of monitoring share."""

from infra.pods.pod import Pod, Probes, kube_score_annotation, labels, pod_spec
from infra.pods.resources import Resources, mebibytes, millicores

__all__ = ["Pod", "Probes", "Resources", "kube_score_annotation", "labels", "mebibytes", "millicores", "pod_spec"]
