"""Putting objects into S3 for the tests, with boto3. Failures are boto3's own exceptions."""

import concurrent.futures
import itertools
import os
import time

import boto3
from botocore.config import Config


class Store:
    def __init__(self, env):
        config = Config(s3={"addressing_style": "path"}, max_pool_connections=16,
                        request_checksum_calculation="when_required",
                        response_checksum_validation="when_required")
        self.client = boto3.client("s3", endpoint_url=env["AWS_ENDPOINT_URL_S3"],
                                   region_name=env.get("AWS_REGION", "us-east-1"),
                                   aws_access_key_id=env["AWS_ACCESS_KEY_ID"],
                                   aws_secret_access_key=env["AWS_SECRET_ACCESS_KEY"],
                                   config=config)
        self.numbers = itertools.count(1)
        self.run = f"{os.getpid()}-{int(time.time())}"

    def make_bucket(self, name):
        """A new bucket that no earlier run can have used."""
        bucket = f"wp-{name}-{self.run}-{next(self.numbers)}"
        self.client.create_bucket(Bucket=bucket)
        return bucket

    def put(self, bucket, key, data):
        self.client.put_object(Bucket=bucket, Key=key, Body=data)

    def put_all(self, bucket, pairs):
        """Uploads (key, bytes or path) pairs, several at a time."""
        def send(pair):
            key, source = pair
            if isinstance(source, bytes):
                self.put(bucket, key, source)
            else:
                with open(source, "rb") as file:
                    self.put(bucket, key, file)
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            list(pool.map(send, pairs))

    def modified_times(self, bucket, prefix):
        """Last-Modified in whole seconds by key, without the prefix."""
        times = {}
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        for page in pages:
            for entry in page.get("Contents", ()):
                times[entry["Key"][len(prefix):]] = int(entry["LastModified"].timestamp())
        return times
