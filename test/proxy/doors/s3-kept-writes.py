"""Writes through one node, reads through others, with boto3. Prints one line of JSON: the names of what went right, or of what went wrong."""

import hashlib
import json
import os
import sys

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import ClientError

step, bucket, access_key, secret_key, *endpoints = sys.argv[1:]
config = Config(retries={"total_max_attempts": 2}, s3={"addressing_style": "path"})
nodes = [
    boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id=access_key,
        aws_secret_access_key=secret_key,
        config=config,
    )
    for endpoint in endpoints
]
writer, readers = nodes[0], nodes[1:]
done = []


def check(name, right):
    if not right:
        raise SystemExit(f"wrong: {name}")
    done.append(name)


def content_of(name, length):
    return hashlib.shake_256(name.encode()).digest(length)


def read(s3, key):
    return s3.get_object(Bucket=bucket, Key=key)["Body"].read()


def code_of(call):
    try:
        call()
    except ClientError as error:
        return error.response["Error"]["Code"]
    return None


one, big = content_of("one", 3_000_001), content_of("big", 23_000_000)
parts = TransferConfig(multipart_threshold=2**20, multipart_chunksize=5 * 2**20, max_concurrency=4)

if step == "write":
    writer.put_object(Bucket=bucket, Key="w/one", Body=one, Metadata={"owner": "me"})
    path = f"{os.environ['DIRECTORY']}/big"
    with open(path, "wb") as file:
        file.write(big)
    writer.upload_file(path, bucket, "w/big é", Config=parts)
    writer.copy_object(Bucket=bucket, Key="w/copy", CopySource={"Bucket": bucket, "Key": "w/one"})
    writer.put_object(Bucket=bucket, Key="w/empty", Body=b"")
    check("written", True)
elif step == "read":
    for number, s3 in enumerate(readers):
        check(f"one, reader {number}", read(s3, "w/one") == one)
        check(f"big, reader {number}", read(s3, "w/big é") == big)
        check(f"copy, reader {number}", read(s3, "w/copy") == one)
        check(f"empty, reader {number}", read(s3, "w/empty") == b"")
        told = s3.head_object(Bucket=bucket, Key="w/one")
        check(f"metadata, reader {number}", told["Metadata"] == {"owner": "me"} and told["ContentLength"] == len(one))
elif step == "change":
    # All nodes rely on what they have heard for an hour, unless they are told.
    for round in range(3):
        body = content_of(f"round {round}", 100_000 + round)
        nodes[round % len(nodes)].put_object(Bucket=bucket, Key="w/one", Body=body)
        for number, s3 in enumerate(nodes):
            check(f"overwritten, round {round}, node {number}", read(s3, "w/one") == body)
    writer.delete_object(Bucket=bucket, Key="w/copy")
    for number, s3 in enumerate(nodes):
        check(f"deleted, node {number}", code_of(lambda: read(s3, "w/copy")) == "NoSuchKey")
    readers[0].delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "w/one"}, {"Key": "w/big é"}]})
    for number, s3 in enumerate(nodes):
        check(f"deleted in one request, node {number}", code_of(lambda: read(s3, "w/one")) == "NoSuchKey")
        check(f"deleted with it, node {number}", code_of(lambda: read(s3, "w/big é")) == "NoSuchKey")
    small = content_of("small parts", 6_000_000)
    upload = readers[0].create_multipart_upload(Bucket=bucket, Key="w/one")["UploadId"]
    named = {"Bucket": bucket, "Key": "w/one", "UploadId": upload}
    tags = []
    for number, body in ((2, small[5_300_000:]), (1, content_of("wrong", 5_300_000)), (1, small[:5_300_000])):
        s3 = readers[0]
        tags.append((number, s3.upload_part(PartNumber=number, Body=body, **named)["ETag"]))
    listed = [{"PartNumber": number, "ETag": tag} for number, tag in (tags[2], tags[0])]
    readers[0].complete_multipart_upload(MultipartUpload={"Parts": listed}, **named)
    for number, s3 in enumerate(nodes):
        check(f"in parts, out of order and twice, node {number}", read(s3, "w/one") == small)
elif step == "refused":
    first = writer.put_object(Bucket=bucket, Key="w/held", Body=b"first", IfNoneMatch="*")["ETag"]
    refused = code_of(lambda: writer.put_object(Bucket=bucket, Key="w/held", Body=b"second", IfNoneMatch="*"))
    check("put only where there is none", refused == "PreconditionFailed")
    for number, s3 in enumerate(nodes):
        check(f"the first stays, node {number}", read(s3, "w/held") == b"first")
    refused = code_of(lambda: writer.put_object(Bucket=bucket, Key="w/held", Body=b"third", IfMatch='"0123"'))
    check("put only over another one", refused == "PreconditionFailed")
    writer.put_object(Bucket=bucket, Key="w/held", Body=b"fourth", IfMatch=first.strip('"'))  # this Ceph knows it without its quotes alone
    for number, s3 in enumerate(nodes):
        check(f"over the one that is there, node {number}", read(s3, "w/held") == b"fourth")
    upload = writer.create_multipart_upload(Bucket=bucket, Key="w/given-up")["UploadId"]
    writer.upload_part(Bucket=bucket, Key="w/given-up", UploadId=upload, PartNumber=1, Body=b"x" * 6_000_000)
    writer.abort_multipart_upload(Bucket=bucket, Key="w/given-up", UploadId=upload)
    check("given up", code_of(lambda: read(writer, "w/given-up")) == "NoSuchKey")
    writer.put_object_tagging(Bucket=bucket, Key="w/held", Tagging={"TagSet": [{"Key": "a", "Value": "b"}]})
    check("tags", readers[0].get_object_tagging(Bucket=bucket, Key="w/held")["TagSet"] == [{"Key": "a", "Value": "b"}])
print(json.dumps(done))
