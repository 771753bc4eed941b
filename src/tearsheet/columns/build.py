"""Builds the kernel with the C compiler that is there; `python -m tearsheet.columns.build` does it by hand.

It imports nothing of the package, as the build of a wheel loads it by its path.
"""

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

SOURCE = Path(__file__).with_name("kernel.c")
_SUFFIXES = {"windows": ".dll", "win32": ".dll", "macos": ".dylib", "darwin": ".dylib"}
#: Zig's name of each platform that wheels are built for, and the wheel's tag.
WHEELS = {
    "x86_64-linux-gnu.2.17": "manylinux_2_17_x86_64",
    "aarch64-linux-gnu.2.17": "manylinux_2_17_aarch64",
    "x86_64-linux-musl": "musllinux_1_2_x86_64",
    "aarch64-macos.11.0": "macosx_11_0_arm64",
    "x86_64-macos.11.0": "macosx_11_0_x86_64",
    "x86_64-windows-gnu": "win_amd64",
}
FLAGS = ("-O3", "-g0", "-shared", "-Wall", "-Wextra")


def library_name(target: str = sys.platform) -> str:
    """Return the file name of the kernel on a platform."""
    return "kernel" + next((suffix for name, suffix in _SUFFIXES.items() if name in target), ".so")


def compiler() -> list[str] | None:
    """Return the command of a C compiler: $CC, the system's, or zig's; None without any."""
    named = os.environ.get("CC")
    for name in (named, "cc", "gcc", "clang"):
        if name and shutil.which(name):
            return [name]
    return zig()


def zig() -> list[str] | None:
    """Return the command of zig's C compiler, which builds for every platform; None without it."""
    return [sys.executable, "-m", "ziglang", "cc"] if importlib.util.find_spec("ziglang") else None


def build(
    folder: Path, *, target: str | None = None, source: Path = SOURCE, flags: tuple[str, ...] = FLAGS
) -> Path | None:
    """Build the kernel into a folder; None without a compiler. Raises CalledProcessError where it fails."""
    command = zig() if target else compiler()
    if command is None:
        return None
    made = folder / library_name(target or sys.platform)
    # another process may be loading the library: it is replaced, never rewritten
    fresh = made.with_name(f".{made.name}.{os.getpid()}")
    extra = ["-target", target] if target else []
    extra += [] if made.suffix == ".dll" else ["-fPIC", "-fvisibility=hidden"]
    extra += [] if made.suffix == ".dylib" else ["-s"]
    try:
        subprocess.run(
            [*command, *flags, *extra, "-o", str(fresh), str(source)], check=True, capture_output=True
        )
        fresh.replace(made)
    finally:
        for left in (fresh, fresh.with_suffix(".lib"), fresh.with_suffix(".pdb")):
            left.unlink(missing_ok=True)
    return made


if __name__ == "__main__":
    library = build(SOURCE.parent)
    if library is None:
        raise SystemExit("no C compiler: every fold takes the exact lane, with the same numbers")
