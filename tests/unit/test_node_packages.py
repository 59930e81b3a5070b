"""The script that installs the packages of a node: it repeats a failed installation, and names its cause."""

from pathlib import Path

import pytest

from tests.unit.machine import Machine, machine

MIRROR_ERROR = "E: Failed to fetch http://mirror/InRelease  Could not resolve 'mirror'"
ATTEMPTS = 6


@pytest.fixture
def node(tmp_path: Path) -> Machine:
    """A node that requires curl and jq, and shall have fail2ban. No package is installed."""
    created = machine(tmp_path)
    created.write("etc/honeydue/node.env", "NODE_PACKAGES='curl jq fail2ban'\nREQUIRED_PACKAGES='curl jq'\n")
    created.write("dev/console", "")
    installed = created.tools / "installed"
    installed.mkdir()
    # The last argument is the package.
    created.stand_in("dpkg-query", f"for name; do :; done; [ ! -e {installed}/$name ] || printf installed")
    created.stand_in("dpkg", f'echo "dpkg $*" >> {created.tools}/commands')
    # `update` fails while the file `failures` has lines, and removes one of them.
    created.stand_in(
        "apt-get",
        f"""echo "apt-get $*" >> {created.tools}/commands
        case $* in
        *" update "*)
            [ -s {created.tools}/failures ] || exit 0
            sed -i 1d {created.tools}/failures
            echo "Err:1 http://mirror InRelease"
            echo "{MIRROR_ERROR}" >&2
            echo "E: Some index files failed to download." >&2
            exit 100 ;;
        *" install "*)
            while [ "$1" != --yes ]; do shift; done
            shift
            for name; do touch {installed}/$name; done ;;
        esac""",
    )
    return created


def fail(node: Machine, times: int) -> None:
    """Makes the mirror fail for this number of attempts."""
    (node.tools / "failures").write_text("x\n" * times)


def installed(node: Machine) -> set[str]:
    return {path.name for path in (node.tools / "installed").iterdir()}


def console(node: Machine) -> list[str]:
    return (node.root / "dev/console").read_text().splitlines()


def test_installed_packages_need_no_mirror(node: Machine) -> None:
    for name in ("curl", "jq", "fail2ban"):
        (node.tools / "installed" / name).touch()
    assert node.run("node-packages") == 0
    assert "apt-get" not in node.commands
    assert console(node) == []


def test_a_failed_installation_is_repeated_and_the_console_names_its_cause(node: Machine) -> None:
    (node.tools / "installed/curl").touch()
    fail(node, 2)
    assert node.run("node-packages") == 0
    assert installed(node) == {"curl", "jq", "fail2ban"}
    assert node.commands.count("--yes jq fail2ban") == 1
    first, second, last = console(node)
    assert first == second
    assert f"these packages could not be installed: jq fail2ban; {MIRROR_ERROR}. k3s does not start" in first
    assert last == "node-packages: installed jq fail2ban"
    assert node.stderr.splitlines() == console(node)


def test_an_interrupted_installation_is_completed_first(node: Machine) -> None:
    assert node.run("node-packages") == 0
    commands = [line.split(" ", 1) for line in node.commands.splitlines()]
    assert [program for program, _ in commands] == ["dpkg", "apt-get", "apt-get"]
    assert commands[0][1] == "--configure -a"


def test_without_a_required_package_the_start_fails_after_some_attempts(node: Machine) -> None:
    fail(node, 100)
    assert node.run("node-packages") == 1
    assert node.commands.count(" update ") == ATTEMPTS
    assert console(node)[-1].endswith(f"{MIRROR_ERROR}. k3s does not start without them; systemd tries again")
    fail(node, 0)
    assert node.run("node-packages") == 0


def test_a_node_with_the_required_packages_starts_without_the_others(node: Machine) -> None:
    """A reboot must not depend on a mirror because an operator removed fail2ban."""
    for name in ("curl", "jq"):
        (node.tools / "installed" / name).touch()
    fail(node, 100)
    assert node.run("node-packages") == 0
    assert node.commands.count(" update ") == 1
    (message,) = console(node)
    assert "these packages could not be installed: fail2ban; " in message
    assert "k3s starts without them" in message
