"""The few words of d2 that the picture takes (https://d2lang.com), and d2 itself, which lays it out."""

import subprocess
from collections.abc import Iterator, Sequence

from tools import programs

D2 = programs.named("d2")
LAYOUT = (
    "--layout=elk",
    "--elk-nodeNodeBetweenLayers=30",
    "--elk-edgeNodeBetweenLayers=15",
    "--elk-padding=[top=50,left=30,bottom=30,right=30]",
)
# One file for readers of light and of dark pages; d2's version in it would be a diff of nothing.
LOOKS = ("--theme=0", "--dark-theme=200", "--pad=10", "--omit-version")

HEAD = """direction: down
# Large, as a page shows the picture at three quarters of its size.
**.style.font-size: 20
(** -> **)[*].style.font-size: 18
"""


def quoted(text: str) -> str:
    return '"' + text.replace('"', '\\"').replace("\n", "\\n") + '"'


def table(place: str, title: str, rows: Sequence[tuple[str, str]]) -> Iterator[str]:
    """A box with a title and a line for each row."""
    yield f"{place}: {quoted(title)} {{shape: sql_table}}"
    yield from (f"{place}.{quoted(name)}: {quoted(said)}" for name, said in rows)


def box(place: str, title: str, *, stores: bool = False) -> str:
    """A drum where something is kept."""
    return f"{place}: {quoted(title)}" + (" {shape: cylinder}" if stores else "")


def around(place: str, title: str, corner: str) -> str:
    """A box with others in it; its title in a corner that no arrow crosses."""
    return f"{place}: {quoted(title)} {{label.near: {corner}}}"


def arrow(one: str, other: str, said: str, *, waits: bool = False) -> str:
    """Who opens a connection to whom; dashed: who must be done before whom."""
    return f"{one} -> {other}: {quoted(said)}" + (" {style.stroke-dash: 5}" if waits else "")


def rendered(lines: Sequence[str]) -> str:
    """The picture as SVG, with its own fonts in it."""
    program = programs.installed(D2) / D2.name
    source = HEAD + "\n".join(lines)
    done = subprocess.run(
        [program, *LAYOUT, *LOOKS, "-", "-"], input=source, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
