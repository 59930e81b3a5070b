"""Mocks of the vendors, for runs of the program without an engine."""

from collections.abc import Collection, Mapping
from typing import Any

from pulumi.runtime import mocks

ZONE_ID, ACCOUNT_ID = "023e105f4ecef8ad9ca31a8372d0c353", "01a7362d577a6c3019a474fd6f485823"
GENERATED_OUTPUTS = {
    "tls:index/privateKey:PrivateKey": ("privateKeyPem",),
    "tls:index/selfSignedCert:SelfSignedCert": ("certPem",),
    "tls:index/certRequest:CertRequest": ("certRequestPem",),
    "tls:index/locallySignedCert:LocallySignedCert": ("certPem",),
    "random:index/randomPassword:RandomPassword": ("result",),
    "cloudflare:index/originCaCertificate:OriginCaCertificate": ("expiresOn",),
}
"""Outputs that the program reads, by type: the mocks return a text for each of them."""


class CloudMocks(mocks.Mocks):
    """Returns the outputs that the program needs: the addresses of the settings, and the results of invokes."""

    def __init__(
        self,
        settings: Mapping[str, object],
        *,
        ranges: Mapping[str, object],
        servers: Collection[str],
        placement: Mapping[str, Collection[str]],
    ) -> None:
        nodes = settings.get("honeydue:nodes")
        self._addresses = {alias: node.get("ipv4") for alias, node in nodes.items()} if isinstance(nodes, dict) else {}
        self._ranges = ranges
        self._servers = servers
        self._placement = dict(enumerate(placement.items(), start=1))
        self._ids = iter(range(1, 10_000))

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        state = dict(args.inputs)
        if args.typ == "hcloud:index/primaryIp:PrimaryIp":
            state["ipAddress"] = self._addresses[args.name] or "203.0.113.1"
        state |= {name: f"{name} of {args.name}\n" for name in GENERATED_OUTPUTS.get(args.typ, ())}
        return str(next(self._ids)), state

    def call(self, args: mocks.MockCallArgs) -> tuple[dict[str, Any], list[tuple[str, str]]]:
        match args.token:
            case "cloudflare:index/getIpRanges:getIpRanges":
                return dict(self._ranges), []
            case "hcloud:index/getServers:getServers":
                # The program reads the servers with the cluster label, and all servers with their placement groups.
                return {"servers": self._labelled() if "withSelector" in args.args else self._grouped()}, []
            case "hcloud:index/getPlacementGroups:getPlacementGroups":
                groups = [{"id": id_, "name": name} for id_, (name, _) in self._placement.items()]
                return {"placementGroups": groups}, []
            case "cloudflare:index/getZone:getZone":
                return {"zoneId": ZONE_ID, "account": {"id": ACCOUNT_ID, "name": "honeyDue"}}, []
        raise NotImplementedError(args.token)

    def _labelled(self) -> list[dict[str, Any]]:
        return [{"name": name} for name in self._servers]

    def _grouped(self) -> list[dict[str, Any]]:
        members = [
            {"name": name, "placementGroupId": id_} for id_, (_, names) in self._placement.items() for name in names
        ]
        return [*members, {"name": "without-a-group"}]
