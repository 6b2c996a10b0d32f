"""Where the dfdaemon of this node is, and which doors it has open."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any, Mapping, Optional
from urllib.parse import urljoin, urlsplit

USUAL_PROXY = "http://127.0.0.1:65001"

# The first is ours, the second is set in pods by the injector of the original.
_VARIABLES = ("DRAGONFLY_PROXY", "DRAGONFLY_INJECT_PROXY")
_DESCRIPTION = "/.well-known/dragonfly"
_MAX_DESCRIPTION_BYTES = 65_536


class DaemonNotFound(ConnectionError):
    """No dfdaemon answers where one is looked for."""


@dataclass(frozen=True)
class Daemon:
    """A dfdaemon that has answered. Addresses are URLs; those of doors are None where the door is closed."""

    proxy: str
    version: str
    huggingface: Optional[str] = None
    modelscope: Optional[str] = None
    s3: Optional[str] = None


def find_daemon(proxy: Optional[str] = None, *, timeout: float = 2.0) -> Daemon:
    """Asks the dfdaemon what it is: the one at `proxy`, else the one DRAGONFLY_PROXY names, else the one at its usual port.

    `timeout` is in seconds. Raises DaemonNotFound.
    """
    address = proxy or _named(os.environ) or USUAL_PROXY
    base = address if "://" in address else f"http://{address}"
    try:
        told = _description(base, timeout)
        found = dict(told["doors"])
        where = {name: urljoin(base + "/", str(door)).rstrip("/") for name, door in found.items()}
        version = str(told["version"])
    except (OSError, HTTPException, ValueError, KeyError, TypeError) as error:
        raise DaemonNotFound(
            f"no dfdaemon answers at {base} ({error}); start one, or name its proxy in DRAGONFLY_PROXY"
        ) from error
    return Daemon(
        proxy=base.rstrip("/"),
        version=version,
        huggingface=where.get("huggingface"),
        modelscope=where.get("modelscope"),
        s3=where.get("s3"),
    )


def _named(environment: Mapping[str, str]) -> Optional[str]:
    return next((environment[name] for name in _VARIABLES if environment.get(name)), None)


def _description(base: str, timeout: float) -> Mapping[str, Any]:
    parts = urlsplit(base)
    if not parts.hostname or parts.scheme not in ("http", "https"):
        raise ValueError("not a URL with http or https")
    kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    connection = kind(parts.hostname, parts.port, timeout=timeout)
    try:
        connection.request("GET", _DESCRIPTION)
        answer = connection.getresponse()
        body = answer.read(_MAX_DESCRIPTION_BYTES)
    finally:
        connection.close()
    if answer.status != 200:
        raise ValueError(f"it answers {answer.status} to {_DESCRIPTION}")
    told = json.loads(body)
    if not isinstance(told, dict) or told.get("service") != "dragonfly":
        raise ValueError("something else listens there")
    return told
