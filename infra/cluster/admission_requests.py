"""Which requests the admission policies validate.

A policy validates only what a request changes. Objects from before a change of the policy may violate it. Controllers
must still be able to remove their finalizers, and the provider to update their field managers.
"""

from collections.abc import Mapping, Sequence

from pulumi_kubernetes.admissionregistration.v1 import (
    MatchConditionArgs,
    MatchResourcesArgs,
    NamedRuleWithOperationsArgs,
)

# Read from `oldObject`, because a request cannot change that.
NOT_BEING_DELETED = MatchConditionArgs(
    name="not-being-deleted",
    expression="request.operation == 'CREATE' || !has(oldObject.metadata.deletionTimestamp)",
)
SPEC_CHANGES = MatchConditionArgs(
    name="spec-changes",
    expression="request.operation == 'CREATE' || object.spec != oldObject.spec",
)


def requests_for(
    resources: Mapping[str, Sequence[str]], *, operations: Sequence[str] = ("CREATE", "UPDATE")
) -> MatchResourcesArgs:
    """Requests for namespaced resources, by API group. Updates of the status are requests for a subresource."""
    return MatchResourcesArgs(
        resource_rules=[
            NamedRuleWithOperationsArgs(
                api_groups=[group],
                api_versions=["*"],
                operations=list(operations),
                resources=list(names),
                scope="Namespaced",
            )
            for group, names in resources.items()
        ]
    )
