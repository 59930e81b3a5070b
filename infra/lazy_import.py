"""Packages of which a run loads only what it uses.

Where a name is defined follows from the way in which Pulumi generates every SDK: `DnsRecord` is in `dns_record`, `get_zone` in `get_zone`,
the arguments of nested blocks are in `_inputs`, their results in `outputs`. An SDK that is laid out in another way is slow and not broken:
what is not found there makes the module, or the package, run as it stands.

One thing is lost while the `__init__` of an SDK has not run: it registers the classes by which the SDK rebuilds a resource that another
program or a remote component hands over as a value. This program receives none.
"""

import re
import sys
from collections.abc import Iterator, Sequence, Set
from importlib import import_module, reload
from importlib.machinery import ModuleSpec
from importlib.util import find_spec, module_from_spec
from pathlib import Path
from threading import RLock
from types import ModuleType


def register_package(name: str) -> ModuleType:
    """Makes the modules of an installed package importable without running its `__init__`.

    Raises a ModuleNotFoundError when the package is not installed.
    """
    spec = find_spec(name)
    if spec is None:
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)
    package = module_from_spec(spec)
    sys.modules[name] = package
    return package


def on_demand(name: str) -> ModuleType:
    """The SDK of this name, whose public names are imported when they are first used; as it is, if somebody has imported it already."""
    if name in sys.modules:
        return sys.modules[name]
    package = register_package(name)
    inputs, _ = _register_blocks(package, "_inputs"), _register_blocks(package, "outputs")

    def resolve(attribute: str) -> object:
        if attribute.startswith("__"):
            # Asked for by tools that look at a module, such as `inspect`; no SDK defines one.
            raise AttributeError(f"module {name!r} has no attribute {attribute!r}")
        for submodule in _candidates(attribute):
            spec = find_spec(f"{name}.{submodule}")
            if spec is None:
                continue
            if inputs:
                inputs.offer(_names(_read(spec)))
            module = import_module(spec.name)
            if attribute == submodule or hasattr(module, attribute):
                value = getattr(module, attribute, module)
                setattr(package, attribute, value)
                return value
        del vars(package)["__getattr__"]
        if inputs:
            inputs.offer(inputs.declared)
        reload(package)
        return getattr(package, attribute)

    # https://peps.python.org/pep-0562/: a module's own function for the names that it does not have.
    vars(package)["__getattr__"] = resolve
    return package


def _candidates(attribute: str) -> Iterator[str]:
    """The modules that may define a public name: for `DnsRecordArgs`, `dns_record_args`, then `dns_record`, `dns`, and `_inputs`."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", attribute).lower().split("_")
    yield from filter(None, ("_".join(words[:count]) for count in range(len(words), 0, -1)))
    yield "_inputs"


class _Blocks(ModuleType):
    """A module of nothing but classes of nested blocks, each of which is defined when it is first asked for."""

    __all__: Sequence[str] = ()
    """What `from ._inputs import *` gives."""

    def __init__(self, name: str, sources: dict[str, str]) -> None:
        super().__init__(name)
        self.declared = frozenset(sources)
        self._sources = sources
        # The SDK asks from several threads.
        self._lock = RLock()

    def __getattr__(self, name: str) -> object:
        with self._lock:
            if source := self._sources.pop(name, None):
                # Before it the classes that its annotations name, which the SDK looks for among the names of the module.
                for other in _names(source) & self._sources.keys():
                    getattr(self, other)
                exec(compile(source, self.__name__, "exec"), vars(self))  # noqa: S102 - the SDK's own text, as an import would run it
            if name in vars(self):
                return vars(self)[name]
        raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")

    def offer(self, names: Set[str]) -> None:
        """Makes `from ._inputs import *` give what of these is defined here."""
        self.__all__ = sorted((self._sources.keys() | vars(self).keys()) & names)


def _register_blocks(package: ModuleType, submodule: str) -> _Blocks | None:
    """Makes a module one whose classes are defined on demand, if it holds the classes that it declares and nothing else."""
    spec = find_spec(f"{package.__name__}.{submodule}")
    if spec is None:
        return None
    head, *classes = _read(spec).split("\nclass ")
    imports, _, declared = head.partition("\n__all__ = [")
    sources, decorator = {}, ""
    for text in classes:
        # The decorator of a class ends the text of the one before it.
        body, _, last = text.rpartition("\n")
        sources[re.split(r"\W", body, maxsplit=1)[0]] = f"{decorator}\nclass {body}\n"
        decorator = last
    if decorator or sources.keys() != set(re.findall(r"'(\w+)'", declared)):
        return None
    module = _Blocks(spec.name, sources)
    module.__spec__ = spec
    sys.modules[spec.name] = module
    setattr(package, submodule, module)
    exec(compile(imports, spec.name, "exec"), vars(module))  # noqa: S102 - what stands before the classes
    return module


def _names(source: str) -> set[str]:
    return set(re.findall(r"[A-Z]\w+", source))


def _read(spec: ModuleSpec) -> str:
    return Path(spec.origin or "").read_text(encoding="utf-8")
