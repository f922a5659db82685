"""A file on a server, read in parts (RFC 9110, section 14)."""

from __future__ import annotations

import io
from typing import Any

TAIL = 64 << 10
"""Bytes of the first request, from the end: most wheels' directory, and RECORD before it, fit in there."""


class RemoteFile(io.RawIOBase):
    """A file on a server that answers range requests; its end is fetched at once and kept.

    Raises:
        OSError: the server does not answer ranges, or fails.
    """

    def __init__(self, client: Any, url: str) -> None:
        self._client, self._url, self._position = client, url, 0
        try:
            response = self._get(f"bytes=-{TAIL}")
            self._tail: bytes = response.content
        except OSError:  # some servers know no ranges from the end
            response = self._get("bytes=0-0")
            self._tail = b""
        total = response.headers.get("Content-Range", "").rpartition("/")[2]
        if not total.isdigit():
            raise OSError("the server does not say how long the file is")
        self._size = int(total)
        self._tail_start = self._size - len(self._tail)

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
        if self._position >= self._tail_start:
            start = self._position - self._tail_start
            data = self._tail[start : start + end - self._position]
        else:
            data = self._get(f"bytes={self._position}-{end - 1}").content[: len(buffer)]
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
            raise OSError(str(error) or type(error).__name__) from error
        return response
