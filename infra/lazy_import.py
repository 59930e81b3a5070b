"""Packages of which a run only loads what it uses.

The module that defines a name follows from the conventions of Pulumi's SDK generator: `DnsRecord` is in `dns_record`,
`get_zone` in `get_zone`, the arguments of nested blocks are in `_inputs` and their results in `outputs`. An SDK with
another layout is slower but works: the complete module or package is imported for a name that is not found this way.

One feature is missing until the `__init__` of an SDK has run. It registers the classes with which the SDK deserializes
resource references from other programs or remote components. This program receives none.
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


def lazy_package(name: str) -> ModuleType:
    """Registers the SDK so that its public names are imported on first use. Returns an imported package unchanged."""
    if name in sys.modules:
        return sys.modules[name]
    package = register_package(name)
    inputs, _ = _register_blocks(package, "_inputs"), _register_blocks(package, "outputs")

    def resolve(attribute: str) -> object:
        if attribute.startswith("__"):
            # Tools that inspect modules, such as `inspect`, look up these names. No SDK defines one.
            raise AttributeError(f"module {name!r} has no attribute {attribute!r}")
        for submodule in _candidates(attribute):
            spec = find_spec(f"{name}.{submodule}")
            if spec is None:
                continue
            if inputs:
                inputs.export(_class_names(_read(spec)))
            module = import_module(spec.name)
            if attribute == submodule or hasattr(module, attribute):
                value = getattr(module, attribute, module)
                setattr(package, attribute, value)
                return value
        del vars(package)["__getattr__"]
        if inputs:
            inputs.export(inputs.declared)
        reload(package)
        return getattr(package, attribute)

    # https://peps.python.org/pep-0562/: Python calls this function for names that the module does not have.
    vars(package)["__getattr__"] = resolve
    return package


def _candidates(attribute: str) -> Iterator[str]:
    """Modules that may define a name. For `DnsRecordArgs`: `dns_record_args`, `dns_record`, `dns`, `_inputs`."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", attribute).lower().split("_")
    yield from filter(None, ("_".join(words[:count]) for count in range(len(words), 0, -1)))
    yield "_inputs"


class _Blocks(ModuleType):
    """A module that only contains classes of nested blocks. Each is defined on first use."""

    __all__: Sequence[str] = ()
    """The names that `from ._inputs import *` imports."""

    def __init__(self, name: str, sources: dict[str, str]) -> None:
        super().__init__(name)
        self.declared = frozenset(sources)
        self._sources = sources
        # The SDK accesses the module from several threads.
        self._lock = RLock()

    def __getattr__(self, name: str) -> object:
        with self._lock:
            if source := self._sources.pop(name, None):
                # First the classes in its annotations, because the SDK resolves them in the module's namespace.
                for dependency in _class_names(source) & self._sources.keys():
                    getattr(self, dependency)
                # The source is that of the installed SDK, as an import would execute it.
                exec(compile(source, self.__name__, "exec"), vars(self))  # noqa: S102
            if name in vars(self):
                return vars(self)[name]
        raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")

    def export(self, names: Set[str]) -> None:
        """Makes `from ._inputs import *` import those of the names that this module defines."""
        self.__all__ = sorted((self._sources.keys() | vars(self).keys()) & names)


def _register_blocks(package: ModuleType, submodule: str) -> _Blocks | None:
    """Registers a lazy module, if the original only contains the classes in its `__all__`. Otherwise returns None."""
    spec = find_spec(f"{package.__name__}.{submodule}")
    if spec is None:
        return None
    head, *classes = _read(spec).split("\nclass ")
    imports, _, declared = head.partition("\n__all__ = [")
    sources, decorator = {}, ""
    for text in classes:
        # The decorator of a class is at the end of the text of the previous one.
        body, _, last = text.rpartition("\n")
        sources[re.split(r"\W", body, maxsplit=1)[0]] = f"{decorator}\nclass {body}\n"
        decorator = last
    if decorator or sources.keys() != set(re.findall(r"'(\w+)'", declared)):
        return None
    module = _Blocks(spec.name, sources)
    module.__spec__ = spec
    sys.modules[spec.name] = module
    setattr(package, submodule, module)
    # The imports of the installed SDK, as an import would execute them.
    exec(compile(imports, spec.name, "exec"), vars(module))  # noqa: S102
    return module


def _class_names(source: str) -> set[str]:
    return set(re.findall(r"[A-Z]\w+", source))


def _read(spec: ModuleSpec) -> str:
    return Path(spec.origin or "").read_text(encoding="utf-8")
