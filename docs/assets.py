"""Brings the libraries and the font of the dashboard from npm, and checks that they are as they were released.

`python docs/assets.py` compares the files with the digests of `vendor.toml`; `--update htmx 2.0.12`
fetches a release, checks it against the registry's own digest, and writes files and digests.
"""

import base64
import hashlib
import io
import json
import sys
import tarfile
import tomllib
import urllib.request
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[1] / "src" / "tearsheet" / "web" / "static" / "vendor"
REGISTRY = "https://registry.npmjs.org"


def known(folder: Path) -> dict[str, Any]:
    """What `vendor.toml` says of each library."""
    return tomllib.loads((folder / "vendor.toml").read_text("utf-8"))


def differences(folder: Path) -> list[str]:
    """Every file that is missing, changed, or not spoken of."""
    found = []
    named = {"vendor.toml"}
    for library in known(folder).values():
        for name, digest in library["sha256"].items():
            named.add(name)
            path = folder / name
            if not path.exists():
                found.append(f"{name} is missing")
            elif hashlib.sha256(path.read_bytes()).hexdigest() != digest:
                found.append(f"{name} is not as {library['package']} released it")
    strays = [path.name for path in sorted(folder.iterdir()) if path.name not in named]
    return found + [f"{name} is unknown" for name in strays]


def update(folder: Path, name: str, version: str, registry: str = REGISTRY) -> None:
    """Fetch a release of a library and put its files in place."""
    libraries = known(folder)
    library = libraries[name]
    about = json.loads(_fetched(f"{registry}/{library['package']}/{version}"))
    archive = _fetched(about["dist"]["tarball"])
    kind, _, expected = about["dist"]["integrity"].partition("-")
    if base64.b64encode(hashlib.new(kind, archive).digest()).decode() != expected:
        raise SystemExit(f"{library['package']} {version}: the archive is not what the registry names")
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        for target, member in library["files"].items():
            content = files.extractfile(f"package/{member}")
            assert content is not None, member
            data = content.read()
            (folder / target).write_bytes(data)
            library["sha256"][target] = hashlib.sha256(data).hexdigest()
    library["version"] = version
    (folder / "vendor.toml").write_text(_toml(libraries), "utf-8")


def _fetched(address: str) -> bytes:
    with urllib.request.urlopen(address, timeout=60) as answer:
        content: bytes = answer.read()
        return content


def _toml(libraries: dict[str, Any]) -> str:
    lines = ["# The libraries of the dashboard, as released; docs/assets.py writes and checks this.\n"]
    for name, library in libraries.items():
        lines.append(f"\n[{name}]\n")
        lines += [f'{key} = "{library[key]}"\n' for key in ("package", "version", "license")]
        for table in ("files", "sha256"):
            lines.append(f"\n[{name}.{table}]\n")
            lines += [f'"{key}" = "{value}"\n' for key, value in library[table].items()]
    return "".join(lines)


def main(arguments: list[str]) -> int:
    """Check, or update one library."""
    if arguments[:1] == ["--update"] and len(arguments) == 3:
        update(FOLDER, arguments[1], arguments[2])
    found = differences(FOLDER)
    for line in found:
        print(line)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
