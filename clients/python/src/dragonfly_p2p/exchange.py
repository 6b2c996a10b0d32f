"""Requests for whole URLs at the daemon's proxy, over connections that are kept; from any number of threads."""

from __future__ import annotations

import os
import socket
import ssl
import threading
from collections import defaultdict
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection, RemoteDisconnected
from typing import DefaultDict, Dict, Iterator, List, Mapping, Optional, Tuple
from urllib.parse import SplitResult, urljoin, urlsplit

_MAX_REDIRECTS = 10
_MAX_KEPT = 32
_SECRETS = ("authorization", "cookie", "proxy-authorization")
_Place = Tuple[str, str, Optional[int]]


class ProxyUnreachable(ConnectionError):
    """The daemon cannot be reached; nothing was asked."""


class Exchange:
    """GET and HEAD by way of the daemon. What it cannot be asked is asked of the origin, if `fallback` allows."""

    def __init__(self, proxy: str, *, header: Mapping[str, str], timeout: float, fallback: bool) -> None:
        parts = urlsplit(proxy)
        self._proxy: _Place = (parts.scheme, parts.hostname or "", parts.port)
        self._header = dict(header)
        self._timeout = timeout
        self._fallback = fallback
        self._lock = threading.Lock()
        self._kept: DefaultDict[_Place, List[HTTPConnection]] = defaultdict(list)
        self._process = os.getpid()

    @contextmanager
    def ask(self, method: str, url: str, header: Mapping[str, str]) -> Iterator[Tuple[HTTPResponse, str]]:
        """The answer behind all redirects, and its URL. Its body is to be read inside the block."""
        sent = {"Accept-Encoding": "identity", **header}
        for _ in range(_MAX_REDIRECTS):
            place, connection, answer = self._send(method, url, sent)
            target = answer.getheader("Location") if answer.status in (301, 302, 303, 307, 308) else None
            if target is None:
                try:
                    yield answer, url
                finally:
                    self._give_back(place, connection, answer)
                return
            answer.close()
            connection.close()
            following = urljoin(url, target)
            if not following.startswith(("http://", "https://")):
                raise OSError(f"{url} redirects to {target}")
            if urlsplit(following).netloc != urlsplit(url).netloc:
                sent = {name: value for name, value in sent.items() if name.lower() not in _SECRETS}
            url = following
        raise OSError(f"{url}: more than {_MAX_REDIRECTS} redirects")

    def close(self) -> None:
        with self._lock:
            for connections in self._kept.values():
                for connection in connections:
                    connection.close()
            self._kept.clear()

    def _send(self, method: str, url: str, header: Mapping[str, str]) -> Tuple[_Place, HTTPConnection, HTTPResponse]:
        try:
            by_daemon = {**header, **self._header}
            connection, answer = self._at(self._proxy, method, url, by_daemon)
            return self._proxy, connection, answer
        except ProxyUnreachable:
            if not self._fallback:
                raise
        parts = urlsplit(url)
        origin: _Place = (parts.scheme, parts.hostname or "", parts.port)
        connection, answer = self._at(origin, method, _target(parts), {**header, "Host": _host(parts)})
        return origin, connection, answer

    def _at(self, place: _Place, method: str, target: str, header: Mapping[str, str]) -> Tuple[HTTPConnection, HTTPResponse]:
        """A kept connection may have been closed a moment ago: then the request is sent again over a fresh one."""
        kept = self._take(place)
        if kept is not None:
            try:
                kept.request(method, target, headers=dict(header))
                return kept, kept.getresponse()
            except (RemoteDisconnected, ConnectionResetError, BrokenPipeError):
                kept.close()
            except BaseException:
                kept.close()
                raise
        scheme, host, port = place
        fresh = (
            HTTPSConnection(host, port, timeout=self._timeout, context=ssl.create_default_context())
            if scheme == "https"
            else HTTPConnection(host, port, timeout=self._timeout)
        )
        try:
            fresh.connect()
            fresh.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError as error:
            fresh.close()
            if place == self._proxy:
                raise ProxyUnreachable(f"no dfdaemon answers at {host}:{port}: {error}") from error
            raise
        try:
            fresh.request(method, target, headers=dict(header))
            return fresh, fresh.getresponse()
        except BaseException:
            fresh.close()
            raise

    def _take(self, place: _Place) -> Optional[HTTPConnection]:
        with self._lock:
            if self._process != os.getpid():  # what the parent goes on using is not ours
                for connections in self._kept.values():
                    for connection in connections:
                        connection.close()
                self._kept.clear()
                self._process = os.getpid()
            here = self._kept[place]
            return here.pop() if here else None

    def _give_back(self, place: _Place, connection: HTTPConnection, answer: HTTPResponse) -> None:
        with self._lock:
            usable = answer.isclosed() and not answer.will_close and connection.sock is not None
            if usable and len(self._kept[place]) < _MAX_KEPT:
                self._kept[place].append(connection)
                return
        answer.close()
        connection.close()


def blocks_of(answer: HTTPResponse, size: int) -> Iterator[bytes]:
    """The body. Raises where it ends before its length: http.client would take it for whole."""
    length = answer.getheader("Content-Length")
    missing = int(length) if length is not None else None
    while block := answer.read(size):
        if missing is not None:
            missing -= len(block)
        yield block
    if missing:
        raise HTTPException(f"the body ended {missing} bytes too early")


def header_of(answer: HTTPResponse) -> Dict[str, str]:
    return {name.lower(): value for name, value in answer.getheaders()}


def _target(parts: SplitResult) -> str:
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def _host(parts: SplitResult) -> str:
    return parts.netloc.rpartition("@")[2]
