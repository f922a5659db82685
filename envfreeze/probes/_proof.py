"""Whether a wheel is the installed one: its RECORD against the installed one, without downloading it."""

from __future__ import annotations

import contextlib
import csv
import io
import zipfile
from pathlib import Path
from typing import IO, Any

CHUNK = 64 << 10
"""Bytes a request; the directory of most wheels fits in one."""


def is_installed_from(wheel: IO[bytes], record: str) -> bool | None:
    """True when every file of the wheel is in the installed RECORD with the same digest; None when unknown.

    Files below ``.data/`` go to other places and may be changed on the way (PEP 427), so they do not count.
    """
    try:
        with zipfile.ZipFile(wheel) as archive:
            names = [name for name in archive.namelist() if name.endswith(".dist-info/RECORD")]
            offered = _digests(archive.read(names[0]).decode("utf-8")) if names else set()
    except (OSError, zipfile.BadZipFile, UnicodeDecodeError, RuntimeError, NotImplementedError):
        return None
    installed = _digests(record)
    return offered <= installed if offered and installed else None


def _digests(record: str) -> set[tuple[str, str]]:
    """Path and digest of each file that an installer leaves as it is."""
    return {
        (row[0], row[1])
        for row in csv.reader(record.splitlines())
        if len(row) == 3 and row[1] and ".data/" not in row[0] and not row[0].startswith(("..", "/"))
    }


def installed_record(dist_info: str) -> str:
    """Text of the installed RECORD; empty when there is none (conda, system packages, egg-info)."""
    with contextlib.suppress(OSError, UnicodeDecodeError):
        return Path(dist_info, "RECORD").read_text(encoding="utf-8")
    return ""


class RemoteFile(io.RawIOBase):
    """A file on a server that answers range requests (RFC 9110, section 14), read in parts.

    Raises:
        OSError: the server does not answer ranges, or fails.
    """

    def __init__(self, client: Any, url: str) -> None:
        self._client, self._url, self._position = client, url, 0
        response = self._get("bytes=0-0")
        total = response.headers.get("Content-Range", "").rpartition("/")[2]
        if not total.isdigit():
            raise OSError("the server does not say how long the file is")
        self._size = int(total)

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        self._position = max(0, start + offset)
        return self._position

    def readinto(self, buffer: Any) -> int:
        end = min(self._position + len(buffer), self._size)
        if end <= self._position:
            return 0
        data = self._get(f"bytes={self._position}-{end - 1}").content
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)

    def _get(self, span: str) -> Any:
        headers = {"Range": span, "Accept-Encoding": "identity"}
        try:
            with self._client.stream("GET", self._url, headers=headers) as response:
                if response.status_code != 206:
                    raise OSError(f"the server answered {response.status_code} to a range request")
                response.read()
        except OSError:
            raise
        except Exception as error:  # which HTTP library it is, and so what it raises, is unearth's affair
            raise OSError(str(error)) from error
        return response
