"""The guard rails refuse unconfirmed deletions, including those that protection allows (docs/guard-rails.md)."""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import pytest

from rehearsal.clouds.faults import Fault, write_faults
from rehearsal.world.world import World
from tests.rehearsal.operator import edit, editable_copy, ops
from tests.rehearsal.stack_state import cloud_files, resources, state, state_file, urn
from tests.rehearsal.templates import PRODUCTION

NODE = "hetzner3"
NODE_RESOURCES = {
    f"Server::{NODE}",
    f"PrimaryIp::{NODE}",
    *(f"DnsRecord::{host}-{NODE}" for host in ("api", "admin", "app", "apex")),
}


@pytest.fixture(scope="module")
def applied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A world with the applied program, in a folder where tests can edit it."""
    project = editable_copy(tmp_path_factory.mktemp("project"))
    with PRODUCTION.clone(tmp_path_factory.mktemp("worlds") / "guarded", project=project) as world:
        yield world


@pytest.fixture
def world(applied: World) -> Iterator[World]:
    """The world of the module. Restores settings, program and state afterwards."""
    settings, before = applied.layout.config.read_text(), state(applied)
    program = {path: path.read_text() for path in (applied.project / "infra").rglob("*.py")}
    yield applied
    applied.layout.config.write_text(settings)
    for path, text in program.items():
        path.write_text(text)
    if state(applied) != before:
        applied.pulumi("up", "--yes", "--skip-preview")


@contextmanager
def without_protection(world: World) -> Iterator[None]:
    """Removes the protection from all resources. Restores the state afterwards, so the block must apply nothing."""
    protected = state(world)
    world.pulumi("state", "unprotect", "--yes", "--all")
    try:
        yield
    finally:
        state_file(world).write_text(protected)


def preview_without_ops(world: World) -> str:
    """The output of the engine's own preview if it fails, or an empty text."""
    preview = world.pulumi("preview", check=False)
    return preview.stdout if preview.returncode != 0 else ""


def refused_as_protected(world: World) -> bool:
    """Whether the engine refuses a preview because of protection. Fails when it refuses for another reason."""
    output = preview_without_ops(world)
    protected = "because it is protected" in output or "currently marked for protection" in output
    assert protected == bool(output), output
    return protected


def remove_node(world: World) -> None:
    world.set_config(f"honeydue:nodes.{NODE}", None)


def change_properties(world: World) -> None:
    """Changes the location of an address, the lifetime of the certificate, and the zone of the apex records."""
    world.set_config("honeydue:nodes.hetzner1.location", "fsn1")
    world.set_config("honeydue:edge.originCertificateDays", 365)
    edit(
        world,
        "infra/edge/zone.py",
        "zone_id=self.id,\n                name=fqdn",
        'zone_id="0" * 32,\n                name=fqdn',
    )


@pytest.mark.parametrize("protected", [True, False], ids=["protected", "unprotected"])
@pytest.mark.parametrize(
    ("change", "deleted"),
    [
        pytest.param(remove_node, NODE_RESOURCES, id="node removed"),
        pytest.param(
            change_properties,
            {"PrimaryIp::hetzner1", "OriginCaCertificate::origin", "DnsRecord::apex-hetzner1"},
            id="properties changed",
        ),
    ],
)
def test_a_deletion_is_refused_with_and_without_protection(
    world: World, change: Callable[[World], None], deleted: set[str], protected: bool
) -> None:
    with nullcontext() if protected else without_protection(world):
        change(world)
        if protected:
            assert refused_as_protected(world)
        else:
            # The hook of servers and primary IPs refuses, and would refuse before anything is changed.
            assert "is not confirmed, so its delete protection at Hetzner stays" in preview_without_ops(world)

        before = cloud_files(world), state(world)
        refused = ops(world, "up", "--stack", "prod", "--yes")
        assert refused.returncode == 1
        for resource in deleted:
            assert f"{resource} would be " in refused.stdout
            confirmable = change is remove_node or resource != "PrimaryIp::hetzner1"
            assert (f'make up STACK=prod ALLOW_DELETE="{resource}"' in refused.stdout) == confirmable
        assert (cloud_files(world), state(world)) == before


def test_replacing_a_volume_in_use_is_refused(world: World) -> None:
    edit(world, "infra/apps/redis.py", 'else "local-path"', 'else "hcloud-volumes"')
    assert refused_as_protected(world)
    with without_protection(world):
        before = cloud_files(world), state(world)
        refused = ops(world, "up", "--stack", "prod", "--yes")
        assert (cloud_files(world), state(world)) == before
    assert refused.returncode == 1
    assert (
        "PersistentVolumeClaim::redis-data would be replaced, because spec.storageClassName changed" in refused.stdout
    )
    assert "spec is immutable" in refused.stdout


def test_a_renamed_volume_claim_is_refused_as_a_deletion(world: World) -> None:
    edit(world, "infra/apps/redis.py", 'CLAIM = "redis-data"', 'CLAIM = "redis-data-2"')
    assert refused_as_protected(world)
    refused = ops(world, "preview", "--stack", "prod")
    assert refused.returncode == 1
    assert "PersistentVolumeClaim::redis-data would be deleted: its volume is deleted" in refused.stdout


def test_without_a_preview_protection_alone_fails_after_the_firewall_has_changed(world: World) -> None:
    firewall = urn(world, "Firewall::honeydue")
    remove_node(world)
    rules = resources(world)[firewall]["outputs"]["rules"]
    failed = world.pulumi("up", "--yes", "--skip-preview", check=False)
    assert failed.returncode != 0
    assert "cannot be deleted" in failed.stdout or f"Server::{NODE} is not confirmed" in failed.stdout
    # The server still exists, but the firewall already blocks it from the other etcd members.
    assert urn(world, f"Server::{NODE}")
    assert resources(world)[firewall]["outputs"]["rules"] != rules


def test_a_deletion_that_removes_its_own_protection_is_refused(world: World) -> None:
    edit(world, "infra/component.py", "protect=True", "protect=False")
    world.set_config("honeydue:edge.originCertificateDays", 365)
    assert not refused_as_protected(world)
    refused = ops(world, "preview", "--stack", "prod")
    assert refused.returncode == 1
    assert "OriginCaCertificate::origin would be replaced, because requestedValidity changed" in refused.stdout
    assert "Firewall::honeydue would no longer be protected" in refused.stdout


def node_state(world: World) -> Sequence[Mapping[str, Any]]:
    """The node's resources in the state."""
    return [entry for urn, entry in resources(world).items() if urn.endswith((f"::{NODE}", f"-{NODE}"))]


def test_a_confirmed_deletion_continues_wherever_it_stops_and_nothing_else_loses_its_protection(world: World) -> None:
    remove_node(world)
    arguments = [option for resource in sorted(NODE_RESOURCES) for option in ("--allow-delete", resource)]
    declined = ops(world, "up", "--stack", "prod", *arguments, answer="n\n")
    assert declined.returncode == 0
    assert len(node_state(world)) == len(NODE_RESOURCES)

    record, server, address = r"/client/v4/zones/\w+/dns_records/\w+", r"/v1/servers/\d+", r"/v1/primary_ips/\d+"
    for faults in (
        (
            Fault(vendor="cloudflare", method="DELETE", path=record, nth=(2,), status=500),
            Fault(vendor="hetzner", method="POST", path=f"{server}/actions/change_protection", status=500),
        ),
        # The provider does not receive the answer, and fails if it deletes the server again.
        (Fault(vendor="hetzner", method="DELETE", path=server, cut="after"),),
        (Fault(vendor="hetzner", method="DELETE", path=address, status=500),),
    ):
        write_faults(world.layout.clouds, *faults)
        stopped = ops(world, "up", "--stack", "prod", "--yes", *arguments)
        assert stopped.returncode != 0, stopped.stdout
        assert node_state(world)
        assert all(resource["protect"] for resource in node_state(world))
        (command,) = re.findall(r'To continue: make up STACK=prod ALLOW_DELETE="(.*)"', stopped.stdout)
        arguments = [option for name in command.split() for option in ("--allow-delete", name)]
    write_faults(world.layout.clouds)

    completed = ops(world, "up", "--stack", "prod", *arguments, answer="y\n")
    assert completed.returncode == 0, completed.stdout
    assert node_state(world) == []
    unprotected_kinds = {
        resource["type"].rsplit(":", 1)[-1]
        for resource in resources(world).values()
        if resource["custom"] and not resource["type"].startswith("pulumi:") and not resource.get("protect")
    }
    assert unprotected_kinds == {"Job", "SshKey"}
    again = ops(world, "preview", "--stack", "prod", *arguments)
    assert again.returncode == 0, again.stdout
    assert "there is nothing to delete" in again.stdout


def test_state_from_before_the_hook_is_not_deleted_until_an_up_has_recorded_it(world: World) -> None:
    settings, stored = world.layout.config.read_text(), json.loads(state(world))
    for resource in stored["checkpoint"]["latest"]["resources"]:
        resource.pop("resourceHooks", None)
    state_file(world).write_text(json.dumps(stored))
    remove_node(world)
    confirmed = [option for resource in NODE_RESOURCES for option in ("--allow-delete", resource)]
    refused = ops(world, "preview", "--stack", "prod", *confirmed)
    assert refused.returncode == 1
    for resource in (f"Server::{NODE}", f"PrimaryIp::{NODE}"):
        assert f"{resource} cannot be deleted yet" in refused.stdout
    world.layout.config.write_text(settings)
    world.pulumi("up", "--yes", "--skip-preview")
    assert resources(world)[urn(world, f"Server::{NODE}")]["resourceHooks"]["BeforeDelete"] == ["hetzner-deletion"]


def test_nothing_is_deleted_without_the_hook_or_if_it_cannot_be_created_again(world: World) -> None:
    before = cloud_files(world)
    destroyed = world.pulumi(
        *("destroy", "--yes", "--skip-preview", "--ignore-protect", "--target", urn(world, f"Server::{NODE}")),
        check=False,
    )
    assert "the program is not running. Hooks: hetzner-deletion" in destroyed.stdout
    assert destroyed.returncode != 0
    world.set_config("honeydue:replacing", NODE)
    world.set_config(f"honeydue:nodes.{NODE}.image", "ubuntu-99.04")
    replaced = world.pulumi("up", "--yes", "--replace", f"**:Server::{NODE}", check=False)
    assert replaced.returncode != 0
    assert f"{NODE} was not deleted: there is no image ubuntu-99.04 for x86" in replaced.stdout
    assert cloud_files(world) == before
    world.set_config("honeydue:replacing", None)


def test_the_origin_certificate_is_renewed_by_confirming_its_replacement(world: World) -> None:
    certificate = urn(world, "OriginCaCertificate::origin")
    old = resources(world)[certificate]["id"]
    get_certificate = ["get", "secret", "cloudflare-origin-cert", "-n", "honeydue", "-o", r"jsonpath={.data.tls\.crt}"]
    before = world.kubectl(*get_certificate)
    world.pulumi("state", "taint", "--yes", certificate)
    assert "OriginCaCertificate::origin would be replaced" in ops(world, "preview", "--stack", "prod").stdout
    completed = ops(world, "up", "--stack", "prod", "--yes", "--allow-delete", "OriginCaCertificate::origin")
    assert completed.returncode == 0, completed.stdout
    renewed = resources(world)[certificate]
    assert renewed["id"] != old
    assert renewed["protect"]
    assert world.kubectl(*get_certificate) != before


def test_a_plan_without_deletions_is_applied(world: World) -> None:
    world.set_config("honeydue:images.api", "0a0a0a0a0a")
    preview = ops(world, "preview", "--stack", "prod", "--diff")
    assert preview.returncode == 0, preview.stdout
    assert "spec.template.spec.containers.image (its pods roll)" in preview.stdout
    assert "honeydue-api:0a0a0a0a0a" in preview.stdout
    assert ops(world, "up", "--stack", "prod", "--yes").returncode == 0
    assert world.pulumi("preview", "--expect-no-changes").returncode == 0


def test_a_configuration_error_is_reported_without_a_traceback(world: World) -> None:
    world.set_config("honeydue:domian", "x")
    refused = ops(world, "up", "--stack", "prod", "--yes")
    assert refused.returncode == 1
    assert "honeydue:domian is not a setting: did you mean domain?" in refused.stdout
    assert "Traceback" not in refused.stdout


def test_removing_the_stack_deletes_its_state_and_no_resource(applied: World) -> None:
    """This test must be the last one, because it removes the stack."""
    cluster = applied.kubectl("get", "all,pvc,secret,ingress,networkpolicy", "-n", "honeydue", "-o", "name")
    before = cloud_files(applied)
    refused = applied.pulumi("stack", "rm", "prod", "--yes", check=False)
    assert refused.returncode != 0
    settings: Path = applied.layout.config
    applied.pulumi("stack", "rm", "prod", "--yes", "--force", "--preserve-config")
    assert "honeydue:domain" in settings.read_text()
    assert cloud_files(applied) == before
    assert applied.kubectl("get", "all,pvc,secret,ingress,networkpolicy", "-n", "honeydue", "-o", "name") == cluster
    assert "honeydue/redis-data" in cluster or "persistentvolumeclaim/redis-data" in cluster
