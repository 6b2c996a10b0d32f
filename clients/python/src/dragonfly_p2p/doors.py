"""The variables that lead clients of Hugging Face, ModelScope and S3 through the daemon's doors."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from typing import Dict, Iterator, List, Optional, Tuple

from .daemon import Daemon, DaemonNotFound, find_daemon

_Change = Tuple[object, str, object]


def environment_of(daemon: Daemon) -> Dict[str, str]:
    """What clients read, for the doors that are open. Keys for S3 are the user's own: `doors.s3.clients` of the daemon."""
    variables: Dict[str, str] = {"DRAGONFLY_PROXY": daemon.proxy}
    if daemon.huggingface:
        variables["HF_ENDPOINT"] = daemon.huggingface
    if daemon.modelscope:
        variables["MODELSCOPE_ENDPOINT"] = daemon.modelscope
    if daemon.s3:
        # The particular one wins in SDKs that know both, some programs know the general one only, old s3fs its own.
        for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "FSSPEC_S3_ENDPOINT_URL"):
            variables[name] = daemon.s3
    return variables


@contextmanager
def doors(proxy: Optional[str] = None, *, required: bool = True) -> Iterator[Optional[Daemon]]:
    """Leads clients in this process and in those it starts through the daemon's doors until the block ends.

    Libraries that have read their variable when they were imported (huggingface_hub, datasets) are told as well. Variables
    are the process's own: blocks in several threads at once must not end in another order than they began.

    Without a daemon DaemonNotFound is raised; with `required=False` nothing is changed and None is yielded instead, so that
    programs go to the origin themselves.
    """
    try:
        daemon = find_daemon(proxy)
    except DaemonNotFound:
        if required:
            raise
        yield None
        return
    variables = environment_of(daemon)
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    told: List[_Change] = []
    try:
        told += _tell_imported(daemon)
        yield daemon
    finally:
        for owner, name, value in reversed(told):
            setattr(owner, name, value)
        for name, earlier in before.items():
            if earlier is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = earlier


def _tell_imported(daemon: Daemon) -> List[_Change]:
    """Returns what was there before."""
    if not daemon.huggingface:
        return []
    wanted: List[Tuple[str, str, str]] = [
        ("huggingface_hub.constants", "ENDPOINT", daemon.huggingface),
        (
            "huggingface_hub.constants",
            "HUGGINGFACE_CO_URL_TEMPLATE",
            daemon.huggingface + "/{repo_id}/resolve/{revision}/{filename}",
        ),
        ("datasets.config", "HF_ENDPOINT", daemon.huggingface),
    ]
    changes: List[_Change] = []
    for module, name, value in wanted:
        owner = sys.modules.get(module)
        if owner is not None and hasattr(owner, name):
            changes.append((owner, name, getattr(owner, name)))
            setattr(owner, name, value)
    # Functions such as huggingface_hub.model_info belong to one object that was made at the import.
    common = getattr(sys.modules.get("huggingface_hub.hf_api"), "api", None)
    if common is not None and hasattr(common, "endpoint"):
        changes.append((common, "endpoint", common.endpoint))
        common.endpoint = daemon.huggingface
    return changes
