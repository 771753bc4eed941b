"""Where a lake lies: a folder or a bucket of an object store. A file is there whole or not at all."""

from pathlib import Path
from typing import Any

from tearsheet.bulk.arrow import fs, pa, pq
from tearsheet.errors import InputError, UsageError
from tearsheet.shared_files import replace_file


class LakePlace:
    """Files of a lake by their names, which begin at its root. Every method raises InputError with the file's name."""

    def __init__(self, address: str) -> None:
        """Take a path, or an address such as s3://bucket/folder. Raises UsageError for any other."""
        self.address = address.rstrip("/")
        try:
            if "://" in address:
                self._files, root = fs.FileSystem.from_uri(address)
                self._root = root.rstrip("/")
                self._folder = None
            else:
                self._folder = Path(address).absolute()
                self._files, self._root = fs.LocalFileSystem(), str(self._folder)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError) as error:
            raise UsageError(
                f"{address!r} is no place of a lake: {error}", "name a folder, or s3://bucket/folder"
            ) from error

    def path(self, name: str) -> str:
        """Return a file's name for messages."""
        return f"{self.address.partition('?')[0]}/{name}"

    def read(self, name: str) -> bytes | None:
        """Return what a file holds; None if it is missing."""
        try:
            with self._files.open_input_stream(f"{self._root}/{name}") as file:
                data: bytes = file.read()
                return data
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._failure(name, "read", error) from error

    def put(self, name: str, data: bytes) -> None:
        """Write a file: in a folder by renaming, in an object store as one object, which is atomic there."""
        try:
            if self._folder is not None:
                replace_file(self._folder / name, data)
                return
            stream = self._files.open_output_stream(f"{self._root}/{name}")
            stream.write(data)
            stream.close()
        except OSError as error:
            raise self._failure(name, "written", error) from error

    def remove(self, name: str) -> None:
        """Remove a file that may be missing."""
        try:
            self._files.delete_file(f"{self._root}/{name}")
        except FileNotFoundError:
            return
        except OSError as error:
            raise self._failure(name, "removed", error) from error

    def names(self, folder: str) -> list[str]:
        """Return the names of the files in a folder and below, sorted; none if it is missing."""
        chosen = fs.FileSelector(f"{self._root}/{folder}", allow_not_found=True, recursive=True)
        try:
            found = self._files.get_file_info(chosen)
        except OSError as error:
            raise self._failure(folder, "listed", error) from error
        start = len(self._root) + 1
        names = (one.path[start:] for one in found if one.type == fs.FileType.File)
        return sorted(name for name in names if not name.rpartition("/")[2].startswith("."))

    def parquet(self, name: str, dictionaries: list[str] | None = None) -> Any:
        """Open a Parquet file, with some columns read as dictionaries."""
        try:
            source = self._files.open_input_file(f"{self._root}/{name}")
            return pq.ParquetFile(source, read_dictionary=dictionaries)
        except (OSError, pa.ArrowException) as error:
            raise self._failure(name, "read", error) from error

    def _failure(self, name: str, verb: str, error: Exception) -> InputError:
        reason = getattr(error, "strerror", None) or str(error)
        return InputError(
            f"{self.path(name)} cannot be {verb}: {reason}",
            "check the address, its permissions, and that no other program changes the lake meanwhile",
        )
