"""The two libraries are as they were released, and the script that brings newer ones checks them."""

import base64
import hashlib
import importlib.util
import io
import json
import shutil
import tarfile
from pathlib import Path
from types import ModuleType

import pytest

from tests.support.place import TOP


def load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("assets_script", TOP / "docs" / "assets.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


script = load()


def registry(folder: Path, *, honest: bool = True) -> str:
    """A registry of files: one release of htmx."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name in ("dist/htmx.min.js", "LICENSE"):
            data = f"new {name}".encode()
            info = tarfile.TarInfo(f"package/{name}")
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    content = buffer.getvalue()
    tarball = folder / "htmx.tgz"
    tarball.write_bytes(content if honest else content + b"!")
    digest = base64.b64encode(hashlib.sha512(content).digest()).decode()
    about = {"dist": {"tarball": tarball.as_uri(), "integrity": f"sha512-{digest}"}}
    (folder / "htmx.org").mkdir()
    (folder / "htmx.org" / "9.9.9").write_text(json.dumps(about))
    return folder.as_uri()


@pytest.fixture
def vendor(tmp_path: Path) -> Path:
    return Path(shutil.copytree(script.FOLDER, tmp_path / "vendor"))


def test_the_files_are_as_released() -> None:
    assert script.differences(script.FOLDER) == []


def test_a_changed_or_stray_file_is_found(vendor: Path) -> None:
    (vendor / "htmx.min.js").write_bytes(b"other")
    (vendor / "stray.js").write_bytes(b"")
    (vendor / "inter.LICENSE").unlink()
    assert script.differences(vendor) == [
        "htmx.min.js is not as htmx.org released it",
        "inter.LICENSE is missing",
        "stray.js is unknown",
    ]


def test_a_newer_release_is_put_in_place(vendor: Path, tmp_path: Path) -> None:
    place = tmp_path / "registry"
    place.mkdir()
    script.update(vendor, "htmx", "9.9.9", registry(place))
    assert script.differences(vendor) == []
    assert script.known(vendor)["htmx"]["version"] == "9.9.9"
    assert (vendor / "htmx.min.js").read_text() == "new dist/htmx.min.js"


def test_what_is_not_what_the_registry_names_is_refused(vendor: Path, tmp_path: Path) -> None:
    place = tmp_path / "registry"
    place.mkdir()
    with pytest.raises(SystemExit, match="not what the registry names"):
        script.update(vendor, "htmx", "9.9.9", registry(place, honest=False))
    assert script.differences(vendor) == []
