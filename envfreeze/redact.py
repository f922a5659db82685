"""What must never reach a lock, an image or a report: credentials in URLs."""

from __future__ import annotations

import re
from urllib.parse import urlsplit, urlunsplit

_TOKEN_PATH = re.compile(r"/t/[^/]+/")
_SECRET_QUERY = re.compile(r"(?i)(token|key|secret|password|passwd|signature|sig|credential|auth)[^=&]*=")


def url_without_credentials(url: str) -> str:
    """The URL without user, password, query secrets and conda's ``/t/<token>/`` path part.

    ``git@host:path`` (scp-like syntax, git-clone(1)) carries a user name that is no secret and stays.
    """
    parts = urlsplit(url)
    if not parts.scheme or not parts.netloc:
        return url
    host = parts.netloc.rpartition("@")[2]
    if parts.scheme.endswith("ssh") and "@" in parts.netloc:
        user = parts.netloc.rpartition("@")[0].partition(":")[0]
        host = f"{user}@{host}"
    query = "" if _SECRET_QUERY.search(parts.query) else parts.query
    return urlunsplit((parts.scheme, host, _TOKEN_PATH.sub("/", parts.path), query, parts.fragment))
