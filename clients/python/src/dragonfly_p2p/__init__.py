"""Models, datasets and objects by way of the peers of a Dragonfly cluster.

with dragonfly_p2p.doors():          # HF_ENDPOINT, AWS_ENDPOINT_URL, ... for as long as the block runs
    snapshot_download("org/model")

fsspec.open("dragonfly://example.com/file")        # https://example.com/file, by way of the peers
fsspec.open("dragonfly::s3://bucket/key")
"""

from .daemon import Daemon, DaemonNotFound, find_daemon
from .doors import doors, environment_of

__all__ = ["Daemon", "DaemonNotFound", "doors", "environment_of", "find_daemon"]
