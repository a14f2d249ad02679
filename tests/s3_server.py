"""An S3 service for the tests: moto, with a bucket and one user; other keys are refused.

Prints what the tests need as NAME=value lines, and serves until it is killed.
"""

import json
import os
import sys
import threading

# So many calls are answered before keys are asked for: those that make the bucket and the user below.
os.environ["INITIAL_NO_AUTH_ACTION_COUNT"] = "4"

from urllib.parse import quote, unquote  # noqa: E402

import boto3  # noqa: E402
from moto.iam import access_control  # noqa: E402
from moto.server import ThreadedMotoServer  # noqa: E402

# moto compares signatures over a decoded query; what was signed is the encoded one.
create_request = access_control.IAMRequestBase._create_aws_request


def over_the_encoded_query(self):
    path, mark, query = self._path.partition("?")
    pairs = [pair.partition("=") for pair in query.split("&")] if query else []
    encoded = "&".join(f"{quote(unquote(name), safe='-_.~')}={quote(unquote(value), safe='-_.~')}" for name, _, value in pairs)
    self._path = f"{path}{mark}{encoded}"
    return create_request(self)


access_control.IAMRequestBase._create_aws_request = over_the_encoded_query

server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
host, port = server.get_host_and_port()
url = f"http://{host}:{port}"
here = {"endpoint_url": url, "region_name": "us-east-1", "aws_access_key_id": "first", "aws_secret_access_key": "first"}

bucket, user = "leadgate-tests", "leadgate"
boto3.client("s3", **here).create_bucket(Bucket=bucket)
iam = boto3.client("iam", **here)
iam.create_user(UserName=user)
policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
iam.put_user_policy(UserName=user, PolicyName="files", PolicyDocument=json.dumps(policy))
key = iam.create_access_key(UserName=user)["AccessKey"]

print(f"TEST_S3_URL={url}")
print(f"TEST_S3_BUCKET={bucket}")
print(f"TEST_S3_ACCESS_KEY={key['AccessKeyId']}")
print(f"TEST_S3_SECRET_KEY={key['SecretAccessKey']}")
sys.stdout.flush()
threading.Event().wait()
