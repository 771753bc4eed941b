"""Builds the kernel of `tearsheet.columns` into the wheel; without a compiler the wheel works without it."""

import importlib.util
import os
import subprocess
import sysconfig
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

_FOLDER = Path("src") / "tearsheet" / "columns"


class KernelBuildHook(BuildHookInterface):
    """Adds the kernel for this machine, or for $TEARSHEET_WHEEL_TARGET, one of `build.WHEELS`."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build the kernel where its source lies, and tag the wheel by its platform."""
        if self.target_name != "wheel":
            return
        folder = Path(self.root) / _FOLDER
        spec = importlib.util.spec_from_file_location("kernel_build", folder / "build.py")
        assert spec is not None
        assert spec.loader is not None
        kernel_build = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(kernel_build)
        target = os.environ.get("TEARSHEET_WHEEL_TARGET") or None
        # a kernel of another platform does not lie where this one loads its own
        made_in = Path(tempfile.mkdtemp()) if target else folder
        try:
            library = kernel_build.build(made_in, target=target)
        except (subprocess.CalledProcessError, OSError) as error:
            if target:
                raise
            self.app.display_warning(f"the kernel was not built: {error}")
            return
        if library is None:
            self.app.display_warning("the kernel was not built: there is no C compiler")
            return
        platform = kernel_build.WHEELS[target] if target else sysconfig.get_platform()
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{platform.replace('-', '_').replace('.', '_')}"
        build_data["force_include"][str(library)] = f"tearsheet/columns/{library.name}"
