"""The cloudflare plugin: scripts of Workers, their cron triggers and their address."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rehearsal.clouds.cloudflare.worker_triggers import NO_SUBDOMAIN
from rehearsal.clouds.cloudflare.zones import ACCOUNT
from rehearsal.clouds.store import Store
from tests.unit.plugins.engine import Engine, ProviderError, Resource, without_defaults

SCRIPT = "cloudflare:index/workersScript:WorkersScript"
CRON = "cloudflare:index/workersCronTrigger:WorkersCronTrigger"
SUBDOMAIN = "cloudflare:index/workersScriptSubdomain:WorkersScriptSubdomain"
OF_SCRIPT: dict[str, Any] = {"accountId": ACCOUNT["id"], "scriptName": "uptime"}
MIGRATIONS = {"newTag": "v1", "newSqliteClasses": ["State"]}
CONTENT = "export class State {}\nexport default { async fetch() { return new Response(); } };\n"
BINDINGS: list[dict[str, Any]] = [
    {"name": "STATE", "type": "durable_object_namespace", "className": "State"},
    {"name": "CONFIG", "type": "json", "json": '{"failures":3}'},
    {"name": "TOKEN", "type": "secret_text", "text": "secret-token"},
]
INPUTS: dict[str, Any] = {
    **OF_SCRIPT,
    "content": CONTENT,
    "mainModule": "worker.js",
    "compatibilityDate": "2026-04-01",
    "compatibilityFlags": ["global_fetch_strictly_public"],
    "bindings": BINDINGS,
    "migrations": MIGRATIONS,
    "force": True,
}


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    return Engine("cloudflare", tmp_path)


def changed(engine: Engine, resource: Resource, inputs: dict[str, Any] | None = None) -> set[str]:
    return set(engine.diff(resource, inputs or resource.inputs).diffs)


def edit(folder: Path, **changes: object) -> None:
    with Store(folder / "cloudflare.json").transaction() as state:
        state.of("worker_scripts")["uptime"].update(changes)


def test_a_script_is_uploaded_and_read_back_without_a_difference(engine: Engine, tmp_path: Path) -> None:
    script = engine.create(SCRIPT, INPUTS)
    assert (script.id, script.outputs["migrationTag"]) == ("uptime", "v1")
    assert sorted(script.outputs["handlers"]) == ["fetch"]
    stored = Store(tmp_path / "cloudflare.json").read().of("worker_scripts")["uptime"]
    assert stored["bindings"][1] == {"name": "CONFIG", "type": "json", "json": {"failures": 3}}
    read = engine.read(script)
    assert read is not None
    assert without_defaults(read.inputs) == INPUTS
    assert not changed(engine, read)


def test_the_order_in_a_json_binding_is_no_difference(engine: Engine) -> None:
    script = engine.create(SCRIPT, INPUTS)
    other = [BINDINGS[0], {**BINDINGS[1], "json": ' {"failures": 3}'}, BINDINGS[2]]
    assert not changed(engine, script, {**INPUTS, "bindings": other})
    other[1]["json"] = '{"failures": 4}'
    assert "bindings" in changed(engine, script, {**INPUTS, "bindings": other})


def test_a_script_that_was_changed_by_hand_is_a_difference(engine: Engine, tmp_path: Path) -> None:
    script = engine.create(SCRIPT, INPUTS)
    edit(tmp_path, content="export class State {}\n")
    read = engine.read(script)
    assert read is not None
    assert "content" in changed(engine, read, INPUTS)


def test_a_removed_secret_is_a_difference_and_an_undeclared_one_is_not(engine: Engine, tmp_path: Path) -> None:
    script = engine.create(SCRIPT, INPUTS)
    undeclared = {"name": "OTHER", "type": "secret_text", "text": "other-secret"}
    edit(tmp_path, bindings=[*INPUTS["bindings"], undeclared])
    read = engine.read(script)
    assert read is not None
    assert not changed(engine, read, INPUTS)
    edit(tmp_path, bindings=INPUTS["bindings"][:2])
    read = engine.read(script)
    assert read is not None
    assert "bindings" in changed(engine, read, INPUTS)


def test_the_migrations_of_a_script_are_refused_at_its_second_upload(engine: Engine) -> None:
    """The program therefore declares none (infra/edge/uptime/durable_object.py)."""
    script = engine.create(SCRIPT, INPUTS)
    with pytest.raises(ProviderError, match=r"412 .*got tag '' when expected tag is 'v1'"):
        engine.update(script, {**INPUTS, "content": f"{CONTENT}\n"})
    without = {name: value for name, value in INPUTS.items() if name != "migrations"}
    engine.update(script, {**without, "content": f"{CONTENT}\n"})


def test_a_binding_to_a_class_that_does_not_exist_is_refused(engine: Engine) -> None:
    with pytest.raises(ProviderError, match="10061"):
        engine.create(SCRIPT, {name: value for name, value in INPUTS.items() if name != "migrations"})


@pytest.mark.parametrize(("force", "refused"), [(False, True), (True, False)])
def test_a_script_with_a_durable_object_is_deleted_by_force(engine: Engine, force: bool, refused: bool) -> None:
    script = engine.create(SCRIPT, {**INPUTS, "force": force})
    if refused:
        with pytest.raises(ProviderError, match="Durable Object namespaces depend on script uptime"):
            engine.delete(script)
    else:
        engine.delete(script)
        assert engine.read(script) is None


def test_triggers_belong_to_a_script(engine: Engine, tmp_path: Path) -> None:
    script = engine.create(SCRIPT, INPUTS)
    cron = engine.create(CRON, {**OF_SCRIPT, "schedules": [{"cron": "* * * * *"}]})
    subdomain = engine.create(SUBDOMAIN, {**OF_SCRIPT, "enabled": True, "previewsEnabled": False})
    for resource in (cron, subdomain):
        read = engine.read(resource)
        assert read is not None
        assert not changed(engine, read, resource.inputs)
    # The real plugin does not refresh the schedules. Another address is seen.
    edit(tmp_path, schedules=[], subdomain={"enabled": False})
    read_cron, read_subdomain = engine.read(cron), engine.read(subdomain)
    assert read_cron is not None
    assert read_subdomain is not None
    assert not changed(engine, read_cron, cron.inputs)
    assert "enabled" in changed(engine, read_subdomain, subdomain.inputs)
    engine.delete(cron)
    engine.delete(subdomain)
    engine.delete(script)
    assert engine.read(cron) is None
    assert engine.read(subdomain) is None


def test_a_cron_trigger_needs_the_subdomain_of_the_account(engine: Engine, tmp_path: Path) -> None:
    engine.create(SCRIPT, INPUTS)
    with Store(tmp_path / "cloudflare.json").transaction() as state:
        state.of(NO_SUBDOMAIN)["account"] = {}
    with pytest.raises(ProviderError, match="subdomain_required"):
        engine.create(CRON, {**OF_SCRIPT, "schedules": [{"cron": "* * * * *"}]})
