"""Copies a folder into an S3 bucket, with boto3, as anybody would.

    python upload.py FOLDER s3://BUCKET/PREFIX

The endpoint and the keys come from the AWS_* variables. Large files go up in parts.
"""

import concurrent.futures
import os
import pathlib
import sys
import urllib.parse

import boto3
import boto3.s3.transfer

WORKERS = 8
PARTS = boto3.s3.transfer.TransferConfig(
    multipart_threshold=64 << 20, multipart_chunksize=16 << 20, max_concurrency=4)


def main():
    if len(sys.argv) != 3:
        sys.exit("usage: upload.py FOLDER s3://BUCKET/PREFIX")
    folder = pathlib.Path(sys.argv[1])
    url = urllib.parse.urlsplit(sys.argv[2])
    bucket, prefix = url.netloc, url.path.strip("/")

    s3 = boto3.client("s3")
    s3.create_bucket(Bucket=bucket)

    def upload(path):
        s3.upload_file(path, bucket, f"{prefix}/{path.relative_to(folder)}", Config=PARTS)
        return os.path.getsize(path)

    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
        total = sum(pool.map(upload, files))
    print(f"{len(files)} objects, {total / (1 << 30):.2f} GiB")


if __name__ == "__main__":
    main()
