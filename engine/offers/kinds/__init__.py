"""What may an offer take off? One file a kind: every file of this folder is imported here, and registers itself."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

for each in iter_modules(__path__, f"{__name__}."):
    import_module(each.name)
