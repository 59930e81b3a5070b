"""Compares images with the admission policies in the plan, by the expressions of the policies themselves."""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from infra.settings.types import repository
from ops.adoption.effects.effect import REFUSED, Effect, items, setting
from ops.adoption.workloads import Workload
from ops.json_paths import dig
from ops.plan import State

POLICY = "kubernetes:admissionregistration.k8s.io/v1:ValidatingAdmissionPolicy"
BINDING = f"{POLICY}Binding"
NAMESPACE_LABEL = "kubernetes.io/metadata.name"
EXEMPT_KINDS = ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job")
"""Kinds whose controllers may create pods with the images that exist (infra/cluster/pod_admission.py)."""
_ALL = re.compile(r"variables\.(?:containers|newImages)\.all\(c, (.*)\)", re.DOTALL)
_TERM = re.compile(r"""(!?)c\.image\.matches\(("(?:[^"\\]|\\.)*"|'[^'\\]*')\)""")


@dataclass(frozen=True, kw_only=True)
class ImageRule:
    """An expression about the image of every container: patterns that all must match, or must not match."""

    policy: str
    terms: Sequence[tuple[bool, re.Pattern[str]]]

    def admits(self, image: str) -> bool:
        return all((pattern.search(image) is not None) == expected for expected, pattern in self.terms)

    @classmethod
    def parse(cls, policy: str, expression: str) -> "ImageRule | None":
        """The rule of a CEL expression. None if the expression is about anything else."""
        container = _ALL.fullmatch(expression.strip())
        if container is None or _TERM.sub("", container[1]).replace("&&", "").strip():
            return None
        terms = [
            (not negated, re.compile(json.loads(text) if text.startswith('"') else text[1:-1]))
            for negated, text in _TERM.findall(container[1])
        ]
        return cls(policy=policy, terms=terms) if terms else None


def image_rules(states: Sequence[State], namespace: str) -> Iterator[ImageRule]:
    """The rules of the planned policies that are bound to the namespace."""
    bound = {
        dig(state.inputs, "spec", "policyName")
        for state in states
        if state.type == BINDING
        and dig(state.inputs, "spec", "matchResources", "namespaceSelector", "matchLabels", NAMESPACE_LABEL)
        == namespace
    }
    for state in states:
        name = dig(state.inputs, "metadata", "name")
        if state.type == POLICY and name in bound:
            for validation in items(dig(state.inputs, "spec", "validations")):
                rule = ImageRule.parse(str(name), str(dig(validation, "expression")))
                if rule:
                    yield rule


def effects(workload: Workload, states: Sequence[State]) -> Iterator[Effect]:
    """Images that an admission policy refuses."""
    rules = list(image_rules(states, workload.namespace))
    refused = "the next release is refused" if workload.kind in EXEMPT_KINDS else REFUSED
    for image in dict.fromkeys(str(container["image"]) for container in workload.containers):
        for rule in rules:
            if rule.admits(image):
                continue
            unknown = not rule.admits(f"{repository(image)}:1")
            yield Effect(
                problem=f"{refused}: {rule.policy} does not admit image {image}",
                remedy=f"Set {setting(workload, 'images')} to [{repository(image)}]"
                if unknown
                else "Give the image a tag other than latest, or a digest",
            )
