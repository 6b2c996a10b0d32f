"""Cuts files into chunks and uploads them to a chunk store, as clients of Xet do. Prints one line of JSON: what the store calls each."""

import json
import sys
import time

import hf_xet

endpoint, token, *paths = sys.argv[1:]
uploads = hf_xet.upload_files(paths, endpoint, (token, int(time.time()) + 3600), None, None, "model")
print(json.dumps([upload.hash for upload in uploads]))
