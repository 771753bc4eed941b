"""The kernel is always tested: where setting up found no compiler, zig's builds it."""

from tearsheet.columns import native
from tearsheet.columns.build import SOURCE, build

if not native.is_available() and build(SOURCE.parent) is not None:
    native.library.cache_clear()
