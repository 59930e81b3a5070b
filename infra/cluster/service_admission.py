"""The admission policy of Services in the app namespace: they are reached inside the cluster, or through Traefik.

With the rights to create a Service, an account could otherwise take over traffic. `externalIPs` redirects an address on
every node: port 443 of a node, or the address of the database. The types NodePort and LoadBalancer open ports of the
nodes. ExternalName makes a name of the cluster point to any host, such as the metadata service.
"""

from pulumi_kubernetes.admissionregistration.v1 import ValidatingAdmissionPolicySpecArgs, ValidationArgs

from infra.cluster.admission_requests import NOT_BEING_DELETED, SPEC_CHANGES, requests_for


def service_policy() -> ValidatingAdmissionPolicySpecArgs:
    """Only the type ClusterIP, without external addresses."""
    return ValidatingAdmissionPolicySpecArgs(
        failure_policy="Fail",
        match_constraints=requests_for({"": ["services"]}),
        match_conditions=[NOT_BEING_DELETED, SPEC_CHANGES],
        validations=[
            ValidationArgs(
                # The API server sets the default before it evaluates a policy.
                expression="object.spec.type == 'ClusterIP'",
                message_expression="'a Service needs the type ClusterIP, not ' + object.spec.type",
                reason="Forbidden",
            ),
            ValidationArgs(
                expression="!has(object.spec.externalIPs) || object.spec.externalIPs.size() == 0",
                message_expression="'a Service must not have externalIPs: ' + object.spec.externalIPs.join(', ')",
                reason="Forbidden",
            ),
        ],
    )
