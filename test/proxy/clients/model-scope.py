"""Loads a repository as users of ModelScope do. Prints one line of JSON: the digest of each file, or the error."""

import hashlib
import json
import sys
from pathlib import Path

from modelscope_hub import HubApi

repository, directory = sys.argv[1:]
try:
    HubApi().download_repo(repository, repo_type="model", local_dir=directory)
except Exception as error:
    print(json.dumps({"error": f"{type(error).__name__}: {error}"}))
    raise SystemExit(0)
root = Path(directory)
files = {
    str(file.relative_to(root)): hashlib.sha256(file.read_bytes()).hexdigest()
    for file in root.rglob("*")
    if file.is_file() and not any(part.startswith(".") for part in file.relative_to(root).parts)
}
print(json.dumps({"files": files}))
