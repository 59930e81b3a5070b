"""The lock files of Python contain every requirement, each version with its hashes. `make lock` writes them."""

import re
from pathlib import Path

import pytest

from tests.recipes import ROOT
from tests.unit.stubs import write_stub
from tools import lock
from tools.lock import LOCKS, Lock

PIN = re.compile(r"^([\w.-]+)==([^\s;]+)(?: ; [^\\]+)? \\\n((?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)", re.M)


def normalized(name: str) -> str:
    """https://packaging.python.org/en/latest/specifications/name-normalization/"""
    return re.sub(r"[-_.]+", "-", name).lower()


def locked(file: str) -> dict[str, str]:
    """Version by package. Fails for a line of the file that is neither a comment nor a pin with hashes."""
    text = (ROOT / file).read_text()
    assert re.sub(r"^ *#.*\n", "", PIN.sub("", text), flags=re.M) == ""
    return {normalized(name): version for name, version, _ in PIN.findall(text)}


def required(file: str) -> dict[str, str]:
    """Version by package, as a person wrote it, with those of the files that this one includes."""
    text = (ROOT / file).read_text()
    own = {normalized(name): version for name, version in re.findall(r"^([\w.-]+)==(\S+)$", text, re.M)}
    for included in re.findall(r"^-r (\S+)$", text, re.M):
        own |= required(str(Path(file).parent / included))
    return own


@pytest.mark.parametrize("each", LOCKS, ids=lambda each: each.file)
def test_a_lock_file_contains_what_its_source_requires(each: Lock) -> None:
    assert required(each.source)
    assert required(each.source).items() <= locked(each.file).items()


def test_the_programs_own_lock_file_is_part_of_the_developers_one() -> None:
    assert locked("requirements.txt").items() <= locked("requirements-dev.txt").items()


def test_the_policy_pack_has_the_versions_of_the_program_except_for_two_packages() -> None:
    program, pack = locked("requirements-dev.txt"), locked("policy/requirements.txt")
    different = {name for name, version in pack.items() if program.get(name, version) != version}
    assert different == set(lock.OLDER_IN_POLICY)


def test_the_constraints_of_the_policy_pack_are_those_of_the_lock_file() -> None:
    expected = lock.policy_constraints((ROOT / "requirements-dev.txt").read_text())
    assert (ROOT / lock.POLICY_CONSTRAINTS).read_text() == expected
    assert "pydantic==" in expected


@pytest.mark.parametrize("each", LOCKS, ids=lambda each: each.file)
def test_the_header_of_a_lock_file_is_the_command_that_writes_it(each: Lock) -> None:
    written = [word for word in lock.command(Path("uv"), each, upgrade=False) if word != "--quiet"]
    assert (ROOT / each.file).read_text().splitlines()[1] == f"#    {' '.join(written)}"


def test_every_line_of_a_source_is_an_exact_pin() -> None:
    for each in LOCKS:
        lines = (ROOT / each.source).read_text().splitlines()
        assert [line for line in lines if not re.fullmatch(r"#.*|-r \S+|[\w.-]+==([0-9]+!)?[\w.]+", line)] == []


@pytest.fixture
def uv_arguments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file to which a stub of uv writes its arguments. The stub fails if one of them is in the file `rejected`."""
    write_stub(
        tmp_path / "uv",
        "uv",
        f'echo "$*" >> {tmp_path}/arguments; '
        f'for argument; do grep -qxF -- "$argument" {tmp_path}/rejected && exit 2; done; exit 0',
    )
    (tmp_path / "rejected").write_text("")
    monkeypatch.setattr(lock, "executable", lambda program: tmp_path / program / program)
    return tmp_path / "arguments"


@pytest.mark.parametrize(("arguments", "upgrades"), [([], 0), (["--upgrade"], 3)])
def test_every_file_is_compiled_and_upgraded_only_on_request(
    uv_arguments: Path, arguments: list[str], upgrades: int
) -> None:
    assert lock.main(arguments) == 0
    commands = uv_arguments.read_text().splitlines()
    assert [command.split()[-1] for command in commands] == [each.source for each in LOCKS]
    assert sum("--upgrade" in command for command in commands) == upgrades
    assert all("--generate-hashes" in command for command in commands)


def test_a_failed_compilation_ends_with_its_exit_code(uv_arguments: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (uv_arguments.parent / "rejected").write_text("requirements.in\n")
    assert lock.main([]) == 2
    assert "cannot write requirements.txt" in capsys.readouterr().err
    assert len(uv_arguments.read_text().splitlines()) == 2
