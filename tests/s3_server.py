"""A real S3 server for tests: moto's, on a free port."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import pytest


@contextmanager
def s3_server(bucket: str) -> Iterator[dict[str, str]]:
    """A server with one bucket; yields the storage options that reach it."""
    moto = pytest.importorskip("moto.server")
    boto3 = pytest.importorskip("boto3")
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        options = {
            "aws_endpoint": f"http://{host}:{port}",
            "aws_access_key_id": "id",
            "aws_secret_access_key": "key",
            "aws_region": "us-east-1",
            "allow_http": "true",
        }
        client = boto3.client(
            "s3",
            endpoint_url=options["aws_endpoint"],
            aws_access_key_id="id",
            aws_secret_access_key="key",
            region_name="us-east-1",
        )
        client.create_bucket(Bucket=bucket)
        yield options
    finally:
        server.stop()
