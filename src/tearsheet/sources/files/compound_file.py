"""Compound files (CFB), the container of .xls: reads one stream, writes a file of one stream."""

from array import array
from collections.abc import Sequence
from struct import pack, unpack_from

MAGIC = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_FREE, _END_OF_CHAIN, _FAT_SECTOR = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD
_ENTRY = 128
_SMALL = 4096
_SECTOR = 4096
_STREAM = 2


def read_stream(content: bytes, names: Sequence[str]) -> bytes:
    """Return the first stream of a compound file that has one of the names. Raises ValueError."""
    file = _CompoundFile(content)
    root, *entries = file.entries()
    streams = {name: (start, size) for kind, name, start, size in entries if kind == _STREAM}
    for name in names:
        if name in streams:
            start, size = streams[name]
            if size >= _SMALL:
                return file.chain(start, file.table)[:size]
            return _small_stream(file, root[2], start)[:size]
    if "encryptedpackage" in streams:
        raise ValueError("it is protected by a password")
    raise ValueError("there is no workbook in it")


class _CompoundFile:
    """The sectors of a file and the table that chains them."""

    def __init__(self, content: bytes) -> None:
        shift = unpack_from("<H", content, 30)[0]
        if shift not in (9, 12):
            raise ValueError("its sectors have an unknown size")
        self._content = content
        self._size = 1 << shift
        self.table = array("I")
        for sector in self._table_sectors():
            self.table.frombytes(self._sector(sector))

    def header(self, place: int) -> int:
        """Return a number of the header."""
        return int(unpack_from("<I", self._content, place)[0])

    def chain(self, sector: int, table: "array[int]") -> bytes:
        """Return the sectors from the first to the last of a chain."""
        parts: list[bytes] = []
        while sector != _END_OF_CHAIN:
            if len(parts) > len(table):
                raise ValueError("its sectors form a circle")
            parts.append(self._sector(sector))
            sector = table[sector]
        return b"".join(parts)

    def entries(self) -> list[tuple[int, str, int, int]]:
        """Return the kind, name in lower case, first sector and size of each directory entry."""
        directory = self.chain(self.header(48), self.table)
        entries = []
        for place in range(0, len(directory) - _ENTRY + 1, _ENTRY):
            length, kind = unpack_from("<HB", directory, place + 64)
            name = directory[place : place + max(length - 2, 0)].decode("utf-16-le", "replace")
            start, size = unpack_from("<II", directory, place + 116)
            entries.append((kind, name.lower(), start, size))
        if not entries:
            raise ValueError("it has no directory")
        return entries

    def _table_sectors(self) -> list[int]:
        sectors = list(unpack_from("<109I", self._content, 76))
        more, most = self.header(68), len(self._content) // self._size
        while more < _FAT_SECTOR - 1 and len(sectors) <= most + 109:
            *rest, more = unpack_from(f"<{self._size // 4}I", self._sector(more))
            sectors += rest
        return [sector for sector in sectors if sector < _FAT_SECTOR - 1]

    def _sector(self, number: int) -> bytes:
        start = (number + 1) * self._size
        sector = self._content[start : start + self._size]
        if not sector:
            raise ValueError("it is cut off")
        return sector.ljust(self._size, b"\0")


def _small_stream(file: _CompoundFile, start: int, sector: int) -> bytes:
    """Return a stream below 4096 bytes: its sectors of 64 bytes lie within the stream of the root."""
    table = array("I", file.chain(file.header(60), file.table))
    container = file.chain(start, file.table)
    parts: list[bytes] = []
    while sector != _END_OF_CHAIN:
        if len(parts) > len(table):
            raise ValueError("its sectors form a circle")
        parts.append(container[64 * sector : 64 * sector + 64])
        sector = table[sector]
    return b"".join(parts)


def write_compound_file(name: str, stream: bytes | bytearray) -> bytes:
    """Return a compound file of version 4 with one stream, which is padded with zeros."""
    sectors = max(-(-len(stream) // _SECTOR), 1)
    per_sector = _SECTOR // 4
    table_sectors = 1
    while table_sectors * per_sector < sectors + 1 + table_sectors:
        table_sectors += 1
    chain = [*range(1, sectors), _END_OF_CHAIN, _END_OF_CHAIN, *[_FAT_SECTOR] * table_sectors]
    chain += [_FREE] * (table_sectors * per_sector - len(chain))
    places = [*range(sectors + 1, sectors + 1 + table_sectors)]
    header = MAGIC + bytes(16) + pack("<HHHHH", 0x3E, 4, 0xFFFE, 12, 6) + bytes(6)
    header += pack("<9I", 1, table_sectors, sectors, 0, _SMALL, _END_OF_CHAIN, 0, _END_OF_CHAIN, 0)
    header += pack("<109I", *places, *[_FREE] * (109 - table_sectors))
    directory = _entry("Root Entry", 5, 1, 0, 0) + _entry(name, _STREAM, _FREE, 0, sectors * _SECTOR)
    directory += (bytes(64) + pack("<HBBIII", 0, 0, 0, _FREE, _FREE, _FREE) + bytes(48)) * (
        _SECTOR // _ENTRY - 2
    )
    return b"".join(
        (
            header.ljust(_SECTOR, b"\0"),
            bytes(stream).ljust(sectors * _SECTOR, b"\0"),
            directory,
            array("I", chain).tobytes(),
        )
    )


def _entry(name: str, kind: int, child: int, start: int, size: int) -> bytes:
    text = name.encode("utf-16-le")
    links = pack("<HBBIII", len(text) + 2, kind, 1, _FREE, _FREE, child)
    return text.ljust(64, b"\0") + links + bytes(36) + pack("<IQ", start, size)
