"""The Cloudflare SDK, of which a run loads only what it uses.

The `__init__` of `pulumi_cloudflare` imports a module for every resource and every function of Cloudflare: 780 modules, of which this
program uses eleven. That took half of the program's CPU time in every preview. The program therefore imports the package from here:

    from infra.sdk import cloudflare

To a type checker this name is the SDK itself. When the program runs, it is the same package without its `__init__` having run; each
public name is imported from the module that defines it when the name is first used. Which module that is follows from the rule by which
Pulumi generates every SDK: `DnsRecord` is in `dns_record`, `get_zone` in `get_zone`, the arguments of nested blocks are in `_inputs`.
A name that the rule does not find makes the package run its `__init__` after all: an SDK that is laid out in another way is slow, not
broken (tests/unit/test_sdk.py counts the modules).

One thing is lost while `__init__` has not run: it registers the classes by which the SDK rebuilds a resource that another program or a
remote component hands over as a value. This program receives none.
"""

import gc
import re
import sys
from collections.abc import Iterator
from importlib import import_module, reload
from importlib.util import find_spec, module_from_spec
from types import ModuleType
from typing import TYPE_CHECKING

__all__ = ["cloudflare", "on_demand", "register_package"]

# The 350,000 objects of a run live until its end, a few seconds after its start. By default Python's garbage collector looks through
# them after every 700 new ones, which took a quarter of the program's CPU time and freed 2 MB.
gc.set_threshold(100_000)


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

    def resolve(attribute: str) -> object:
        if attribute.startswith("__"):
            # Asked for by tools that look at a module, such as `inspect`; no SDK defines one.
            raise AttributeError(f"module {name!r} has no attribute {attribute!r}")
        for submodule in _candidates(attribute):
            if find_spec(f"{name}.{submodule}") is None:
                continue
            module = import_module(f"{name}.{submodule}")
            if attribute == submodule or attribute in getattr(module, "__all__", ()):
                value = getattr(module, attribute, module)
                setattr(package, attribute, value)
                return value
        del vars(package)["__getattr__"]
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


if TYPE_CHECKING:
    import pulumi_cloudflare as cloudflare
else:
    cloudflare = on_demand("pulumi_cloudflare")
