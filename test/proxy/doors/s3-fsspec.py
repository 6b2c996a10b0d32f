"""What users of s3fs do, with the door as their endpoint (AWS_ENDPOINT_URL). Ends with status 1 where something is wrong."""

import hashlib
import random
import sys

import s3fs

bucket, sha256 = sys.argv[1:]
files = s3fs.S3FileSystem()
path = f"{bucket}/models/model.bin"
content = files.cat_file(path)
assert hashlib.sha256(content).hexdigest() == sha256, "whole"
assert files.ls(f"{bucket}/models") == [path], "listing"
assert len(files.find(f"{bucket}/many")) == 20, "find"
assert files.info(path)["size"] == len(content), "info"
with files.open(path, "rb", block_size=2**20) as file:
    for _ in range(20):
        start = random.randrange(len(content) - 5000)
        file.seek(start)
        assert file.read(5000) == content[start : start + 5000], "random reads"
starts = [random.randrange(len(content) - 8000) for _ in range(20)]
parts = files.cat_ranges([path] * 20, starts, [start + 8000 for start in starts])
assert parts == [content[start : start + 8000] for start in starts], "ranges at once"
assert not files.exists(f"{bucket}/none"), "absent"
with files.open(f"{bucket}/written/by fsspec", "wb") as file:
    file.write(content)
assert files.cat_file(f"{bucket}/written/by fsspec") == content, "written"
files.rm(f"{bucket}/written", recursive=True)
assert not files.exists(f"{bucket}/written/by fsspec"), "removed"
