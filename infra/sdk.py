"""The Cloudflare SDK, of which a run loads only what it uses.

The `__init__` of `pulumi_cloudflare` imports a module for every resource and every function of Cloudflare: 780 modules, of which this
program uses eleven. Two of these hold a class for every nested block of every resource: 6,321 classes, of which it uses eighteen. That
took half of the program's CPU time in every preview. The program therefore imports the package from here:

    from infra.sdk import cloudflare

To a type checker this name is the SDK itself. When the program runs, it is the same package without its `__init__` having run: a public
name is imported from the module that defines it, and the class of a nested block is defined, when the name is first used
(infra/lazy_import.py). tests/unit/test_sdk.py holds that this works.
"""

import atexit
import gc
from typing import TYPE_CHECKING

from infra.lazy_import import on_demand

__all__ = ["cloudflare"]

# The 350,000 objects of a run live until its end, a few seconds after its start. By default Python's garbage collector looks through
# them after every 700 new ones, and several times more while the process ends. That took a third of the program's CPU time and freed
# 2 MB.
gc.set_threshold(100_000)
atexit.register(gc.freeze)

if TYPE_CHECKING:
    import pulumi_cloudflare as cloudflare
else:
    cloudflare = on_demand("pulumi_cloudflare")
