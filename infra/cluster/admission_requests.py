"""Which requests the admission policies of the app namespace judge.

A policy judges what a request changes. An object that the policy of today would refuse must still be possible to end
and to delete: controllers remove its finalizers, and the provider updates its field managers.
"""

from collections.abc import Mapping, Sequence

from pulumi_kubernetes.admissionregistration.v1 import (
    MatchConditionArgs,
    MatchResourcesArgs,
    NamedRuleWithOperationsArgs,
)

# In `oldObject`, because a request cannot change that.
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
