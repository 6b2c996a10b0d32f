"""What users of boto3 do, through the door given as the endpoint. Prints one line of JSON: the names of what went right."""

import hashlib
import json
import sys
import urllib.error
import urllib.request

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import ClientError

endpoint, bucket, access_key, secret_key, sha256, directory = sys.argv[1:]
done = []


def client(secret=secret_key, **more):
    config = Config(retries={"total_max_attempts": 2}, s3={"addressing_style": "path"}, **more)
    return boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id=access_key,
        aws_secret_access_key=secret,
        config=config,
    )


def code_of(call):
    try:
        call()
    except ClientError as error:
        return error.response["Error"]["Code"]
    return None


def check(name, right):
    if not right:
        raise SystemExit(f"wrong: {name}")
    done.append(name)


s3 = client()
path = f"{directory}/model"
parts = TransferConfig(multipart_threshold=2**20, multipart_chunksize=2**20, max_concurrency=8)
s3.download_file(bucket, "models/model.bin", path, Config=parts)
with open(path, "rb") as file:
    content = file.read()
check("download in parts", hashlib.sha256(content).hexdigest() == sha256)

body = s3.get_object(Bucket=bucket, Key="models/model.bin", Range="bytes=100-199")["Body"].read()
check("range", body == content[100:200])
whole = s3.get_object(Bucket=bucket, Key="models/model.bin", ChecksumMode="ENABLED")["Body"].read()
check("whole, with its checksum", whole == content)

old = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "models/model.bin"}, ExpiresIn=60)
try:
    urllib.request.urlopen(old)
except urllib.error.HTTPError as error:
    check("signed URL of the old kind", b"<Code>InvalidRequest</Code>" in error.read())
signs = client(signature_version="s3v4")
url = signs.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "models/model.bin"}, ExpiresIn=60)
with urllib.request.urlopen(url) as answer:
    check("signed URL", answer.read() == content)

pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix="many/", PaginationConfig={"PageSize": 7})
keys = [entry["Key"] for page in pages for entry in page["Contents"]]
check("listing by pages", keys == sorted(f"many/key {number} +&%é" for number in range(20)))
folders = s3.list_objects_v2(Bucket=bucket, Delimiter="/")
check("folders", [entry["Prefix"] for entry in folders["CommonPrefixes"]] == ["many/", "models/"])
check("name of the bucket", folders["Name"] == bucket)
check("first version of listing", len(s3.list_objects(Bucket=bucket, Prefix="many/")["Contents"]) == 20)
for key in keys:
    assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == key.encode()
check("odd keys", True)
check("buckets", [entry["Name"] for entry in s3.list_buckets()["Buckets"]] == [bucket])
check("head of the bucket", s3.head_bucket(Bucket=bucket)["ResponseMetadata"]["HTTPStatusCode"] == 200)
check("no such key", code_of(lambda: s3.get_object(Bucket=bucket, Key="none")) == "NoSuchKey")
check("no such bucket", code_of(lambda: s3.get_object(Bucket="none", Key="none")) == "NoSuchBucket")
refused = client(secret="wrong")
check("wrong secret", code_of(lambda: refused.get_object(Bucket=bucket, Key="models/model.bin")) == "SignatureDoesNotMatch")
check("wrong secret, listing", code_of(lambda: refused.list_objects_v2(Bucket=bucket)) == "SignatureDoesNotMatch")

s3.put_object(Bucket=bucket, Key="new/one", Body=b"first")
check("written", s3.get_object(Bucket=bucket, Key="new/one")["Body"].read() == b"first")
s3.put_object(Bucket=bucket, Key="new/one", Body=b"second")
check("written again", s3.get_object(Bucket=bucket, Key="new/one")["Body"].read() == b"second")
s3.upload_file(path, bucket, "new/big", Config=TransferConfig(multipart_threshold=2**20, multipart_chunksize=5 * 2**20))
check("written in parts", s3.get_object(Bucket=bucket, Key="new/big")["Body"].read() == content)
s3.copy_object(Bucket=bucket, Key="new/copy é", CopySource={"Bucket": bucket, "Key": "new/one"})
check("copied", s3.get_object(Bucket=bucket, Key="new/copy é")["Body"].read() == b"second")
s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "new/one"}, {"Key": "new/copy é"}]})
s3.delete_object(Bucket=bucket, Key="new/big")
check("removed", code_of(lambda: s3.get_object(Bucket=bucket, Key="new/one")) == "NoSuchKey")
check("removed, the big one", code_of(lambda: s3.head_object(Bucket=bucket, Key="new/big")) == "404")
check("no bucket is made", code_of(lambda: s3.create_bucket(Bucket=bucket)) == "MethodNotAllowed")
print(json.dumps(done))
