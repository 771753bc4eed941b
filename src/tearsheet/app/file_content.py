"""Small files of settings: their content and its hash."""

import errno
from hashlib import blake2b
from pathlib import Path

from tearsheet.shared_files import open_regular

#: A file of settings has 200 kB at most; beyond this it is refused as too large whatever follows.
_MOST_BYTES = 4 << 20


#: What to do with a file that has lost its content: one that is emptied or half saved is valid YAML.
RESTORE_HINT = "restore it; `{}`, or `limits: {}`, says that there is to be nothing"


def read_small_file(path: Path) -> bytes | None:
    """Return the content of a file; None if it does not exist. Raises OSError, also for a link to nothing."""
    try:
        with open_regular(path) as file:
            return file.read(_MOST_BYTES)
    except (FileNotFoundError, NotADirectoryError):
        if path.is_symlink():
            raise OSError(errno.ENOLINK, "it is a link to a file that is not there") from None
        return None


def file_digest(path: Path) -> str:
    """Return the hash of a small file; empty if it does not exist. Raises OSError."""
    data = read_small_file(path)
    return "" if data is None else bytes_digest(data)


def bytes_digest(data: bytes) -> str:
    """Return the BLAKE2b hash of bytes, 64 bits in hex."""
    return blake2b(data, digest_size=8).hexdigest()
