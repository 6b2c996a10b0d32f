"""The file system `dragonfly://` of fsspec.

`dragonfly://host/path` is `https://host/path` by way of the peers; `dragonfly+http://` and `dragonfly+https://` say the
scheme, and so does a chain: `dragonfly::https://host/path`. In a chain with `s3://` or `hf://` the file system of that
name is used, with the daemon's door as its endpoint.
"""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, Optional

import fsspec
from fsspec.asyn import AsyncFileSystem
from fsspec.implementations.dirfs import DirFileSystem

from .daemon import Daemon, find_daemon
from .web_files import WebFileSystem

try:  # marks classes that a chain tells the path of what they stand before; others look into `fo`
    from fsspec.implementations.chained import ChainedFileSystem
except ImportError:  # fsspec before 2025
    ChainedFileSystem = object

_SCHEMES = {"dragonfly://": "https://", "dragonfly+https://": "https://", "dragonfly+http://": "http://"}


class DragonflyFileSystem(DirFileSystem, ChainedFileSystem):
    """Reads by way of the peers.

    proxy: URL of the daemon's proxy; by default DRAGONFLY_PROXY, or its usual port.
    Others are those of WebFileSystem for URLs, and of the file system behind a chain otherwise (`target_options`).
    """

    protocol = ("dragonfly", "dragonfly+http", "dragonfly+https")

    def __init__(
        self,
        proxy: Optional[str] = None,
        target_protocol: Optional[str] = None,
        target_options: Optional[Mapping[str, Any]] = None,
        fo: Optional[str] = None,
        **options: Any,
    ) -> None:
        own: Dict[str, Any] = {name: options.pop(name) for name in ("asynchronous", "loop") if name in options}
        if target_protocol in (None, "http", "https"):
            inner = WebFileSystem(proxy=proxy, **own, **options)
        else:
            inner = _behind_door(str(target_protocol), find_daemon(proxy), {**(target_options or {}), **options, **own})
        self._first = fo
        AsyncFileSystem.__init__(self, **own)
        self.path = ""  # what it stands before is the whole of the other
        self.fs = inner

    @classmethod
    def _strip_protocol(cls, path: Any) -> Any:
        if isinstance(path, list):
            return [cls._strip_protocol(each) for each in path]
        if path in _SCHEMES:
            return ""  # a link of a chain
        for mine, theirs in _SCHEMES.items():
            if path.startswith(mine):
                return theirs + path[len(mine) :]
        return path

    def unstrip_protocol(self, name: str) -> str:
        stripped = str(self._strip_protocol(name))
        if stripped.startswith("https://"):
            return "dragonfly://" + stripped[len("https://") :]
        return "dragonfly+" + stripped if stripped.startswith("http://") else "dragonfly::" + str(self.fs.unstrip_protocol(name))

    def _join(self, path: Any) -> Any:
        if isinstance(path, str):
            return self._strip_protocol(path) or self._first or ""
        if isinstance(path, dict):
            return {self._join(each): value for each, value in path.items()}
        return [self._join(each) for each in path]

    @property
    def fsid(self) -> str:
        return f"dragonfly_{self.fs.fsid}"


def _behind_door(protocol: str, daemon: Daemon, options: Dict[str, Any]) -> Any:
    endpoints: Mapping[str, Optional[str]] = {
        "s3": daemon.s3,
        "s3a": daemon.s3,
        "hf": daemon.huggingface,
    }
    if protocol not in endpoints:
        names: List[str] = ["http", "https", *endpoints]
        raise ValueError(f"dragonfly::{protocol}:// is not served; these are: {', '.join(names)}")
    endpoint = endpoints[protocol]
    if endpoint is None:
        raise ValueError(f"the dfdaemon at {daemon.proxy} has no door for {protocol}:// open; see doors in its dfget.yaml")
    given = dict(options)
    if protocol == "hf":
        given["endpoint"] = endpoint
    else:
        given["endpoint_url"] = endpoint
    return fsspec.filesystem(protocol, **given)
