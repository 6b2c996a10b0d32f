"""Files behind http and https URLs, read by way of the daemon. Nothing can be listed or written."""

from __future__ import annotations

import asyncio
import os
import weakref
from concurrent.futures import ThreadPoolExecutor
from email.utils import parsedate_to_datetime
from http.client import HTTPException, HTTPResponse
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Tuple, TypeVar

from fsspec.asyn import AsyncFileSystem
from fsspec.callbacks import NoOpCallback
from fsspec.spec import AbstractBufferedFile

from .daemon import USUAL_PROXY, DaemonNotFound, find_daemon
from .exchange import Exchange, blocks_of, header_of

_BLOCK_BYTES = 1 << 20
_TRIES = 3
_THREADS = 16
_NO_CALLBACK = NoOpCallback()
_T = TypeVar("_T")


class WebFileSystem(AsyncFileSystem):
    """proxy: URL of the daemon's proxy; by default DRAGONFLY_PROXY, or its usual port.

    headers: for the origin, such as Authorization; each caller's right is asked of the origin.
    tag, application, filtered_query_params: what tells tasks of one URL apart, as for dfget.
    prefetch: a read of a part brings the whole file to this node in the background.
    fallback: when the daemon cannot be reached, the origin is asked without it.
    timeout: seconds without a byte.
    """

    protocol = ("http", "https")
    cachable = True

    def __init__(
        self,
        proxy: Optional[str] = None,
        headers: Optional[Mapping[str, str]] = None,
        tag: Optional[str] = None,
        application: Optional[str] = None,
        filtered_query_params: Optional[Sequence[str]] = None,
        prefetch: bool = False,
        fallback: bool = True,
        timeout: float = 120.0,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        wanted: Dict[str, Optional[str]] = {
            "X-Dragonfly-Use-P2P": "true",
            "X-Dragonfly-Tag": tag,
            "X-Dragonfly-Application": application,
            "X-Dragonfly-Filtered-Query-Params": ",".join(filtered_query_params) if filtered_query_params else None,
            "X-Dragonfly-Prefetch": "true" if prefetch else None,
        }
        try:
            found = find_daemon(proxy).proxy
        except DaemonNotFound:
            if not fallback:
                raise
            found = proxy or os.environ.get("DRAGONFLY_PROXY") or USUAL_PROXY
        self._headers = dict(headers or {})
        self._exchange = Exchange(
            found,
            header={name: value for name, value in wanted.items() if value is not None},
            timeout=timeout,
            fallback=fallback,
        )
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="dragonfly")
        weakref.finalize(self, _close, self._exchange, self._threads)

    @property
    def fsid(self) -> str:
        return "web"

    @classmethod
    def _strip_protocol(cls, path: Any) -> Any:
        return path  # all of a URL names the file

    async def _run(self, call: Callable[..., _T], *arguments: Any) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, lambda: call(*arguments))

    async def _info(self, path: str, **_: Any) -> Dict[str, Any]:
        return await self._run(self._describe, path)

    async def _exists(self, path: str, **_: Any) -> bool:
        try:
            await self._info(path)
        except FileNotFoundError:
            return False
        return True

    async def _isfile(self, path: str, **_: Any) -> bool:
        return await self._exists(path)

    async def _isdir(self, path: str, **_: Any) -> bool:
        return False

    async def _ls(self, path: str, detail: bool = True, **_: Any) -> List[Any]:
        """The file itself: a web server has no list of what it has."""
        info = await self._info(path)
        return [info] if detail else [info["name"]]

    async def _expand_path(self, path: Any, **_: Any) -> List[str]:
        """A question mark belongs to the URL, and there are no patterns where nothing can be listed."""
        return [path] if isinstance(path, str) else list(path)

    async def _cat_file(self, path: str, start: Optional[int] = None, end: Optional[int] = None, **_: Any) -> bytes:
        return await self._run(self._part, path, start, end)

    async def _get_file(self, rpath: str, lpath: Any, callback: Any = _NO_CALLBACK, **_: Any) -> None:
        await self._run(self._save, rpath, lpath, callback)

    def _open(
        self,
        path: str,
        mode: str = "rb",
        block_size: Optional[int] = None,
        cache_options: Optional[Dict[str, Any]] = None,
        **options: Any,
    ) -> WebFile:
        if mode != "rb":
            raise NotImplementedError("files behind URLs are read only")
        size = options.pop("size", None)
        return WebFile(
            self,
            path,
            mode="rb",
            block_size=block_size or "default",
            cache_options=cache_options,
            size=size if size is not None else self._describe(path)["size"],
            **options,
        )

    def _describe(self, path: str) -> Dict[str, Any]:
        """By HEAD; where that is refused, as for signed URLs, by a byte of the file."""
        with self._exchange.ask("HEAD", path, self._headers) as (answer, _url):
            answer.read()
            if answer.status == 200 and answer.getheader("Content-Length") is not None:
                return _info_of(path, header_of(answer), int(str(answer.getheader("Content-Length"))))
            if answer.status in (404, 410):
                raise _error(path, answer, b"")
        with self._exchange.ask("GET", path, {**self._headers, "Range": "bytes=0-0"}) as (answer, _url):
            if answer.status == 416:
                answer.read()
                return _info_of(path, header_of(answer), 0)
            if answer.status not in (200, 206):
                raise _error(path, answer, answer.read(1024))
            header = header_of(answer)
            if answer.status == 206:
                answer.read()
            total = header.get("content-range", "").rpartition("/")[2]
            length = total if answer.status == 206 else header.get("content-length", "")
            if not length.isdigit():
                raise OSError(f"{path}: its length is not known")
            return _info_of(path, header, int(length))

    def _part(self, path: str, start: Optional[int] = None, end: Optional[int] = None) -> bytes:
        if start == end and start is not None:
            return b""
        if (start is not None and start < 0 and end is not None) or (end is not None and end < 0):
            size = self._describe(path)["size"]
            start, end = slice(start, end).indices(size)[:2]
            if start >= end:
                return b""
        header = dict(self._headers)
        if start is not None and start < 0:
            header["Range"] = f"bytes={start}"
        elif start is not None or end is not None:
            header["Range"] = f"bytes={start or 0}-{'' if end is None else end - 1}"
        return _again(lambda: self._read(path, header, start, end))

    def _read(self, path: str, header: Mapping[str, str], start: Optional[int], end: Optional[int]) -> bytes:
        with self._exchange.ask("GET", path, header) as (answer, _url):
            if answer.status == 416 and "Range" in header:
                answer.read()
                return b""
            if answer.status not in (200, 206):
                raise _error(path, answer, answer.read(1024))
            content = b"".join(blocks_of(answer, _BLOCK_BYTES))
            return content[start:end] if answer.status == 200 and "Range" in header else content

    def _save(self, path: str, target: Any, callback: Any) -> None:
        """Goes on behind what has come when the connection breaks, if the file is certain to be the same."""
        if hasattr(target, "write"):
            target.write(self._part(path))
            return
        name = os.fspath(target)
        if os.path.isdir(name):
            name = os.path.join(name, path.partition("?")[0].rpartition("/")[2])
        os.makedirs(os.path.dirname(os.path.abspath(name)), exist_ok=True)
        tag: List[str] = []
        with open(name, "wb") as file:
            _again(lambda: self._copy(path, file, tag, callback))

    def _copy(self, path: str, file: Any, tag: List[str], callback: Any) -> None:
        have = file.tell() if tag else 0
        header = {**self._headers, "Range": f"bytes={have}-", "If-Range": tag[0]} if have else self._headers
        with self._exchange.ask("GET", path, header) as (answer, _url):
            if answer.status not in (200, 206):
                raise _error(path, answer, answer.read(1024))
            if answer.status == 200:
                file.seek(0)
                file.truncate()
                strong = answer.getheader("ETag") or ""
                tag[:] = [strong] if strong.startswith('"') else []
                length = answer.getheader("Content-Length")
                callback.set_size(int(length) if length is not None else None)
            for block in blocks_of(answer, _BLOCK_BYTES):
                file.write(block)
                callback.relative_update(len(block))


class WebFile(AbstractBufferedFile):
    def _fetch_range(self, start: int, end: int) -> bytes:
        content: bytes = self.fs._part(self.path, start, end)
        return content


def _close(exchange: Exchange, threads: ThreadPoolExecutor) -> None:
    threads.shutdown(wait=False)
    exchange.close()


def _again(call: Callable[[], _T]) -> _T:
    """Connections break; what an origin or the daemon answers is answered."""
    for _ in range(_TRIES - 1):
        try:
            return call()
        except (HTTPException, ConnectionError, TimeoutError):
            continue
    return call()


def _info_of(path: str, header: Mapping[str, str], size: int) -> Dict[str, Any]:
    info: Dict[str, Any] = {"name": path, "size": size, "type": "file"}
    for name, key in (("etag", "ETag"), ("content-type", "mimetype")):
        if name in header:
            info[key] = header[name]
    if "last-modified" in header:
        try:
            info["mtime"] = parsedate_to_datetime(header["last-modified"])
        except (TypeError, ValueError):
            pass  # some servers write dates of their own making
    return info


def _error(path: str, answer: HTTPResponse, body: bytes) -> OSError:
    where, _, _query = path.partition("?")  # a signature is nobody's to log
    text = f"{where}: {answer.status} {answer.reason}"
    if said := body.decode("utf-8", "replace").strip():
        text += f": {said[:300]}"
    kinds: Tuple[Tuple[Tuple[int, ...], type[OSError]], ...] = (
        ((404, 410), FileNotFoundError),
        ((401, 403), PermissionError),
    )
    return next((kind(text) for statuses, kind in kinds if answer.status in statuses), OSError(text))
