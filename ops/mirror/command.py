"""The `mirror` command: copies the images of the settings to a second registry, by digest."""

import os
import sys
from collections.abc import Sequence

import click
from pydantic import TypeAdapter, ValidationError
from rich.console import Console
from rich.filesize import decimal

from infra.settings.messages import PROJECT
from infra.settings.types import Registry as RegistryPath
from ops.confirmation import confirm
from ops.engine.stack import read_settings
from ops.errors import OpsError
from ops.guardrails.commands import stack_option
from ops.mirror.copy import Mirror, Missing
from ops.mirror.images import Source, sources
from ops.registry.client import Login
from ops.registry.upload import WritableRegistry
from ops.release.digests import OurImages
from ops.status.stack import validated

USERNAME, PASSWORD = "MIRROR_USERNAME", "MIRROR_PASSWORD"
"""Environment variables with the login of the second registry."""

console = Console(soft_wrap=True, highlight=False)


@click.command()
@stack_option
@click.option("--to", default="", help=f"The second registry and a path in it. By default {PROJECT}:registryMirror.")
@click.option("--yes", is_flag=True, help="Copy without asking for confirmation.")
def mirror(stack: str, to: str, yes: bool) -> None:
    """Copy the images of the settings, and the signatures of ours, to a second registry.

    Its login, which may push, comes from MIRROR_USERNAME and MIRROR_PASSWORD or from a prompt. What the registry has
    already is not copied again, so the command continues after an interruption.

    Exit codes: 0 the registry has all images; 1 it lacks an image, or nothing was copied.
    """
    values = read_settings(stack)
    settings, ours = validated(values), OurImages.of(values)
    target = _target(to or settings.registry_mirror or "", settings.images.registry)
    with console.status("Reading the digests"):
        declared = sources(settings, ours)
    errors = [*declared.errors]
    missing = []
    for image in declared.images:
        with console.status(f"Comparing {image}"):
            try:
                missing.append(target.missing(image))
            except OpsError as error:
                errors.append(f"{image}: {error}")
    _print(missing, errors)
    incomplete = [item for item in missing if not item.nothing]
    if incomplete and not yes:
        size = decimal(sum(item.size for item in incomplete))
        confirm(f"Copy {_count(incomplete)} ({size}) to {target.registry.host}?")
    complete = [item.image for item in missing if item.nothing]
    for item in incomplete:
        with console.status(f"Copying {item.image}"):
            try:
                target.copy(item)
                complete.append(item.image)
            except OpsError as error:
                errors.append(f"{item.image}: {error}")
                console.print(errors[-1], style="red", markup=False)
    sys.exit(_summary(target, complete, errors))


def _target(to: str, source: str) -> Mirror:
    """The second registry. Asks for its login."""
    if not to:
        raise OpsError(
            f"no registry is given: make mirror TO=registry.example.com/path, or set {PROJECT}:registryMirror"
        )
    try:
        TypeAdapter(RegistryPath).validate_python(to)
    except ValidationError as error:
        raise OpsError(f"TO is {to}: {error.errors()[0]['msg'].removeprefix('Value error, ')}") from None
    host, _, prefix = to.partition("/")
    # The names are appended, so the same registry with a path would be another place.
    if to == source.partition("/")[0]:
        raise OpsError(f"TO is {to}, the registry of {PROJECT}:images itself: name another one")
    username = os.environ.get(USERNAME) or click.prompt(f"User of {host} that may push")
    password = os.environ.get(PASSWORD) or click.prompt(f"Password of {username}", hide_input=True)
    return Mirror(WritableRegistry(host, login=Login(username=username, password=password)), prefix)


def _print(missing: Sequence[Missing], errors: Sequence[str]) -> None:
    for item in missing:
        state = "is complete" if item.nothing else f"{len(item.blobs)} blobs, {decimal(item.size)}"
        console.print(f"{item.image} ({item.image.digest[:19]}…): {state}", markup=False)
    for error in errors:
        console.print(error, style="red", markup=False)


def _summary(target: Mirror, complete: Sequence[Source], errors: Sequence[str]) -> int:
    console.print(f"{target.registry.host} has {_count(complete)} of the settings, with the same digests.")
    if errors:
        console.print(f"It lacks {len(errors)}, as shown above. Run the command again to continue.", style="red")
    return 1 if errors else 0


def _count(images: Sequence[object]) -> str:
    return "1 image" if len(images) == 1 else f"{len(images)} images"
