"""The Cloudflare SDK, of which a run only loads what it uses.

The `__init__` of `pulumi_cloudflare` imports a module for every resource and every function of Cloudflare: 780 modules,
of which this program uses eleven. Two of them contain a class for every nested block of every resource: 6,321 classes,
of which it uses eighteen. Importing them took half of the program's CPU time in every preview. The program therefore
imports the package from here:

    from infra.sdk import cloudflare

To a type checker, this name is the SDK itself. At run time it is the same package without its `__init__`. A public name
is imported from the module that defines it, and the class of a nested block is defined, when the name is first used
(infra/lazy_import.py). tests/unit/test_sdk.py tests this.
"""

import atexit
import gc
from typing import TYPE_CHECKING

from infra.lazy_import import lazy_package

__all__ = ["cloudflare"]

# The 350,000 objects of a run exist until it ends, a few seconds after its start. By default Python's garbage collector
# scans them after every 700 new objects, and several times while the process exits. This took a third of the program's
# CPU time and freed 2 MB.
gc.set_threshold(100_000)
atexit.register(gc.freeze)

if TYPE_CHECKING:
    import pulumi_cloudflare as cloudflare
else:
    cloudflare = lazy_package("pulumi_cloudflare")
