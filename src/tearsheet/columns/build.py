"""Builds the kernel with the C compiler that is there; `python -m tearsheet.columns.build` says what came of it.

It imports nothing of the package, as the build of a wheel loads it by its path; and what runs a compiler only where it
is run, as every fold asks for the library's name.
"""

import os
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


def compilers() -> list[list[str]]:
    """Return the commands of the C compilers that are there: $CC, the system's, then zig's."""
    import shlex
    import shutil

    named = [shlex.split(os.environ.get("CC", "")), ["cc"], ["gcc"], ["clang"], zig() or []]
    return [command for command in named if command and shutil.which(command[0])]


def zig() -> list[str] | None:
    """Return the command of zig's C compiler, which builds for every platform; None without it."""
    import importlib.util

    return [sys.executable, "-m", "ziglang", "cc"] if importlib.util.find_spec("ziglang") else None


def build(
    folder: Path, *, target: str | None = None, source: Path = SOURCE, flags: tuple[str, ...] = FLAGS
) -> Path | None:
    """Build the kernel into a folder; None without a compiler. Raises CalledProcessError where each fails."""
    import subprocess

    commands = [zig() or []] if target else compilers()
    made = folder / library_name(target or sys.platform)
    # another process may be loading the library: it is replaced, never rewritten
    fresh = made.with_name(f".{made.name}.{os.getpid()}")
    extra = ["-target", target] if target else []
    extra += [] if made.suffix == ".dll" else ["-fPIC", "-fvisibility=hidden"]
    extra += [] if made.suffix == ".dylib" else ["-s"]
    for command in filter(None, commands):
        try:
            subprocess.run(
                [*command, *flags, *extra, "-o", str(fresh), str(source)], check=True, capture_output=True
            )
            fresh.replace(made)
        except (subprocess.CalledProcessError, OSError):
            # a compiler without the headers of C, say: the next may have its own, as zig has
            if command == commands[-1]:
                raise
        else:
            return made
        finally:
            for left in (fresh, fresh.with_suffix(".lib"), fresh.with_suffix(".pdb")):
                left.unlink(missing_ok=True)
    return None


def main() -> str:
    """Build the kernel beside its source unless it is newer, and return what folds take now."""
    import subprocess

    exact = "every fold takes the exact lane, with the same numbers"
    made = SOURCE.with_name(library_name())
    if made.exists() and made.stat().st_mtime >= SOURCE.stat().st_mtime:
        return f"{made.name} is there: large imports fold in C"
    try:
        if build(SOURCE.parent) is None:
            return f"no C compiler: {exact}"
    except (subprocess.CalledProcessError, OSError) as error:
        words = (getattr(error, "stderr", None) or b"").decode(errors="replace").strip() or str(error)
        return f"{made.name} was not built: {exact}\n{words}"
    return f"{made.name} is built: large imports fold in C"


if __name__ == "__main__":
    print(main())  # noqa: T201 - the answer of a command
