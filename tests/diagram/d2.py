"""The statements of the d2 language (https://d2lang.com) that the diagram uses, and the program that renders it."""

import subprocess
from collections.abc import Iterator, Sequence

from tools.cache import executable

LAYOUT_OPTIONS = (
    "--layout=elk",
    "--elk-nodeNodeBetweenLayers=30",
    "--elk-edgeNodeBetweenLayers=15",
    "--elk-padding=[top=50,left=30,bottom=30,right=30]",
)
# The file contains a light and a dark theme. Without --omit-version, every update of d2 would change it.
STYLE_OPTIONS = ("--theme=0", "--dark-theme=200", "--pad=10", "--omit-version")

HEAD = """direction: down
# Large fonts, as a page shows the diagram at three quarters of its size.
**.style.font-size: 20
(** -> **)[*].style.font-size: 18
"""


def quoted(text: str) -> str:
    """The text as a d2 string."""
    return '"' + text.replace('"', '\\"').replace("\n", "\\n") + '"'


def table(path: str, title: str, rows: Sequence[tuple[str, str]]) -> Iterator[str]:
    """A box with a title and a line for each row."""
    yield f"{path}: {quoted(title)} {{shape: sql_table}}"
    yield from (f"{path}.{quoted(name)}: {quoted(value)}" for name, value in rows)


def box(path: str, title: str, *, stores: bool = False) -> str:
    """A box; a cylinder if it stores data."""
    return f"{path}: {quoted(title)}" + (" {shape: cylinder}" if stores else "")


def container(path: str, title: str, corner: str) -> str:
    """A box that contains other boxes. Its title is in a corner, where no arrow crosses it."""
    return f"{path}: {quoted(title)} {{label.near: {corner}}}"


def arrow(source: str, destination: str, label: str, *, dashed: bool = False) -> str:
    """A solid arrow is a connection. A dashed arrow is a dependency: the source completes first."""
    return f"{source} -> {destination}: {quoted(label)}" + (" {style.stroke-dash: 5}" if dashed else "")


def render(lines: Sequence[str]) -> str:
    """The SVG of a diagram, with embedded fonts."""
    program = executable("d2")
    source = HEAD + "\n".join(lines)
    completed = subprocess.run(
        [program, *LAYOUT_OPTIONS, *STYLE_OPTIONS, "-", "-"], input=source, capture_output=True, text=True, check=False
    )
    assert completed.returncode == 0, completed.stderr
    return completed.stdout
