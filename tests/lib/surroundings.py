"""What hands out credentials where jobs run: STS, a container's endpoint, an instance's metadata.

    with Surroundings(bed) as around:
        env = around.container()            # variables of a job in a container
        ... the job reads with the keys that it got from here ...

The keys are the real ones of the test's S3; the session token tells which hand-out they are from:
`around.token(n)`. S3 itself does not look at the token: `around.rule` for a proxy before it does.
"""

import datetime
import hashlib
import http.server
import json
import os
import threading
import urllib.parse

import loopback
import proxy
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

ROLE = "arn:aws:iam::123456789012:role/reader"
INSTANCE_TOKEN = "instance-metadata-token"


class Surroundings(loopback.Loopback):
    def __init__(self, bed, directory):
        self.directory = directory
        self.keys = (bed.services["AWS_ACCESS_KEY_ID"], bed.services["AWS_SECRET_ACCESS_KEY"])
        self.lock = threading.Lock()
        self.lifetime_s = 3600
        self.fault = lambda path: None      # (status, body), "hang" or None for each request
        self.handed = 0                     # hand-outs so far
        self.accepted = None                # which hand-outs S3 accepts; None: all
        self.used = []                      # hand-outs that came with requests to S3, in order
        self.seen = []                      # (method, path) of each request
        self.complaints = []                # what was wrong with requests
        self.authorization = None           # what the container's endpoint wants
        self.source = Credentials("SOURCEKEY", "source-secret", "source-token")
        self.web_token = "header.payload.signature"
        self.version_1 = True               # the instance answers without a token, too
        self.closing = threading.Event()
        handler = type("Handler", (Handler,), {"around": self})
        self.serve(handler)

    def __exit__(self, *ignored):
        self.closing.set()
        super().__exit__()

    def token(self, number):
        return f"SESSION-TOKEN-{number}-{hashlib.sha256(self.url.encode()).hexdigest()}"

    def hand_out(self):
        with self.lock:
            self.handed += 1
            number = self.handed
        until = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=self.lifetime_s)
        return {"AccessKeyId": self.keys[0], "SecretAccessKey": self.keys[1],
                "SessionToken": self.token(number), "Expiration": until.strftime("%Y-%m-%dT%H:%M:%SZ")}

    def rule(self, request):
        """For a proxy before S3: lets through what carries a token that is accepted."""
        token = request.header("x-amz-security-token") or ""
        number = int(token.split("-")[2]) if token.startswith("SESSION-TOKEN-") else 0
        with self.lock:
            self.used.append(number)
        if number == 0 or token != self.token(number):
            return proxy.status(403, b"<Error><Code>InvalidToken</Code></Error>")
        if self.accepted is not None and number not in self.accepted:
            return proxy.status(400, b"<Error><Code>ExpiredToken</Code></Error>")
        return None

    # --- the variables of a job ------------------------------------------------------

    NO_KEYS = {"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None}

    def write(self, name, text):
        path = os.path.join(self.directory, name)
        with open(path, "w") as file:
            file.write(text)
        return path

    def profile(self, text, **more):
        return {**self.NO_KEYS, "AWS_CONFIG_FILE": self.write("config", text),
                "AWS_SHARED_CREDENTIALS_FILE": "/dev/null", **more}

    def container(self, authorization="Bearer of-the-pod"):
        self.authorization = authorization
        return {**self.NO_KEYS, "AWS_CONTAINER_CREDENTIALS_FULL_URI": self.url + "/container",
                "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": self.write("pod-token", authorization + "\n")}

    def instance(self, **more):
        self.version_1 = "AWS_EC2_METADATA_V1_DISABLED" not in more
        return {**self.NO_KEYS, "AWS_EC2_METADATA_DISABLED": None,
                "AWS_EC2_METADATA_SERVICE_ENDPOINT": self.url + "/", **more}

    def web_identity(self):
        return {**self.NO_KEYS, "AWS_ROLE_ARN": ROLE, "AWS_ENDPOINT_URL_STS": self.url,
                "AWS_WEB_IDENTITY_TOKEN_FILE": self.write("web-token", self.web_token)}

    def role(self):
        return self.profile(
            f"[default]\nrole_arn = {ROLE}\nsource_profile = base\nexternal_id = a=b&c\n"
            f"[profile base]\naws_access_key_id = {self.source.access_key}\n"
            f"aws_secret_access_key = {self.source.secret_key}\naws_session_token = {self.source.token}\n",
            AWS_ENDPOINT_URL_STS=self.url)

    def process(self):
        command = f"curl -sS {self.url}/process"
        return self.profile(f"[profile made]\ncredential_process = {command}\n", AWS_PROFILE="made")


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    around = None

    def log_message(self, *ignored):
        pass

    def answer(self, status, body, kind="application/json"):
        data = body.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def misbehaves(self):
        fault = self.around.fault(self.path)
        self.around.seen.append((self.command, self.path))
        if fault == "hang":
            self.around.closing.wait(30)
            self.close_connection = True
            return True
        if fault:
            self.answer(*fault)
        return bool(fault)

    def wants(self, condition, complaint):
        if not condition:
            self.around.complaints.append(complaint)
            self.answer(403, json.dumps({"code": "Refused", "message": complaint}))
        return condition

    def do_PUT(self):
        if self.misbehaves():
            return
        if self.wants(self.path == "/latest/api/token", f"PUT {self.path}") and \
                self.wants(self.headers["X-aws-ec2-metadata-token-ttl-seconds"], "no ttl"):
            self.answer(200, INSTANCE_TOKEN, "text/plain")

    def do_GET(self):
        if self.misbehaves():
            return
        around = self.around
        if self.path == "/container":
            if self.wants(self.headers["Authorization"] == around.authorization, "wrong authorization"):
                keys = around.hand_out()
                keys["Token"] = keys.pop("SessionToken")
                self.answer(200, json.dumps(keys))
        elif self.path == "/process":
            self.answer(200, json.dumps({"Version": 1, **around.hand_out()}))
        elif self.path.startswith("/latest/meta-data/iam/security-credentials/"):
            if self.wants(self.headers["X-aws-ec2-metadata-token"] == INSTANCE_TOKEN or around.version_1, "no token"):
                if self.path.endswith("/"):
                    self.answer(200, "the-role", "text/plain")
                else:
                    keys = around.hand_out()
                    keys["Token"] = keys.pop("SessionToken")
                    self.answer(200, json.dumps({"Code": "Success", "Type": "AWS-HMAC", **keys}))
        else:
            self.answer(404, "{}")

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"] or 0)).decode()
        if self.misbehaves():
            return
        around, form = self.around, dict(urllib.parse.parse_qsl(body, keep_blank_values=True))
        fine = self.wants(form.get("RoleArn") == ROLE, f"role {form.get('RoleArn')}")
        if fine and form["Action"] == "AssumeRole":
            fine = self.wants(form.get("ExternalId") == "a=b&c", "external id") and self.signed(body)
        elif fine:
            fine = self.wants(form["Action"] == "AssumeRoleWithWebIdentity", form["Action"]) and \
                self.wants(form.get("WebIdentityToken") == around.web_token, "web identity token")
        if not fine:
            return
        keys = "".join(f"<{name}>{value}</{name}>" for name, value in around.hand_out().items())
        action = form["Action"]
        self.answer(200, f'<{action}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><{action}Result>'
                    f"<Credentials>{keys}</Credentials></{action}Result></{action}Response>", "text/xml")

    def signed(self, body):
        """Is the request signed as botocore would sign it?"""
        sent = self.headers["Authorization"] or ""
        date = self.headers["X-Amz-Date"] or ""
        request = AWSRequest("POST", self.around.url + "/", data=body,
                             headers={"Content-Type": self.headers["Content-Type"], "Host": self.headers["Host"]})
        request.context["timestamp"] = date
        request.headers["X-Amz-Date"] = date
        request.headers["X-Amz-Security-Token"] = self.around.source.token
        auth = SigV4Auth(self.around.source, "sts", "us-east-1")
        want = auth.signature(auth.string_to_sign(request, auth.canonical_request(request)), request)
        return self.wants(f"Signature={want}" in sent and f"Credential={self.around.source.access_key}/" in sent,
                          f"signature {sent}, want {want}")

