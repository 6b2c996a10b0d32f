"""Loads a repository as users of huggingface_hub do. Prints one line of JSON: the version, and the digest of each file; or the error."""

import hashlib
import json
import sys
from pathlib import Path

import huggingface_hub
from huggingface_hub import snapshot_download

repository, cache, *revision = sys.argv[1:]
try:
    path = Path(snapshot_download(repository, cache_dir=cache, revision=revision[0] if revision else None))
except Exception as error:
    print(json.dumps({"error": f"{type(error).__name__}: {error}"}))
    raise SystemExit(0)
files = {
    str(file.relative_to(path)): hashlib.sha256(file.read_bytes()).hexdigest() for file in path.rglob("*") if file.is_file()
}
print(json.dumps({"version": huggingface_hub.__version__, "files": files}))
