"""Secrets are nowhere to be read: not in what job and agent say at any level, nor in reports, status,
command lines or the agent's environment; whatever goes wrong with the credentials."""

import base64
import glob
import json
import os
import subprocess

import check
import job
import proxy
from scene import Scene
from surroundings import Surroundings

SECRET = "Sup3r/Secret+Key0123456789abcdefghijklmn"
TOKEN = "T0ken//of+a+session==" * 20
WEB = "eyJhbGciOi.WEB1DENT1TY.s1gnature"
POD = "P0D-author1zation-t0ken"
CUSTOMER = bytes(range(200, 232))

HIDDEN = [SECRET, TOKEN[:60], "WEB1DENT1TY", POD, base64.b64encode(CUSTOMER).decode(), "STDERR-0F-A-PR0GRAM",
          "HALF-AN-ANSW3R"]


def keys(around):
    return {"AWS_ACCESS_KEY_ID": "NOBODY", "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_SESSION_TOKEN": TOKEN}


def malformed_keys(around):
    return {"AWS_ACCESS_KEY_ID": "NOBODY", "AWS_SECRET_ACCESS_KEY": SECRET + " with blanks", "AWS_SESSION_TOKEN": TOKEN}


def malformed_file(around):
    return around.profile(f"[default]\naws_access_key_id = A\naws_secret_access_key {SECRET}\n"
                          f"aws_secret_access_key = {SECRET} x\naws_session_token = {TOKEN}\n")


def process(command):
    return lambda around: around.profile(f"[default]\ncredential_process = {command}\n")


def container(body, status=200):
    def make(around):
        around.fault = lambda path: (status, body)
        return around.container(POD)
    return make


def web_identity(body, status):
    def make(around):
        around.web_token = WEB
        around.fault = lambda path: (status, body)
        return around.web_identity()
    return make


def role(around):
    around.source.secret_key, around.source.token = SECRET, TOKEN
    around.fault = lambda path: (403, "<ErrorResponse><Error><Code>AccessDenied</Code></Error></ErrorResponse>")
    return around.role()


def good_until_s3(around):
    """Handed out as they should be, and refused by S3."""
    around.keys = ("NOBODY", SECRET)
    around.token = lambda number: TOKEN
    return around.container(POD)


CASES = {
    "keys-refused": keys,
    "keys-malformed": malformed_keys,
    "file-malformed": malformed_file,
    "process-fails": process("'echo STDERR-0F-A-PR0GRAM >&2; exit 1'"),
    "process-garbage": process(f"""echo '{{"SecretAccessKey":"{SECRET}","HALF-AN-ANSW3R'"""),
    "process-half": process(f"""echo '{{"SecretAccessKey":"{SECRET}","SessionToken":"{TOKEN}"}}'"""),
    "container-garbage": container(f'{{"SecretAccessKey":"{SECRET}","Token":"{TOKEN}", HALF-AN-ANSW3R'),
    "container-refuses": container("HALF-AN-ANSW3R", 403),
    "container-half": container(json.dumps({"SecretAccessKey": SECRET, "Token": TOKEN})),
    "container-bad-date": container(json.dumps({"AccessKeyId": "A", "SecretAccessKey": SECRET, "Token": TOKEN, "Expiration": "never"})),
    "web-identity-refused": web_identity("<ErrorResponse><Error><Code>InvalidIdentityToken</Code><Message>no</Message></Error></ErrorResponse>", 400),
    "web-identity-garbage": web_identity(f"<a><SecretAccessKey>{SECRET}</SecretAccessKey>HALF-AN-ANSW3R", 200),
    "role-refused": role,
    "s3-refuses": good_until_s3,
}


def table(bed):
    for name, make in CASES.items():
        yield "secret-" + name, lambda m=make: hidden(bed, m)


def sayings(s, done):
    """All that anybody can read, by where it stands."""
    found = {"standard error": done.errors, "standard output": done.text}
    for path in glob.glob(os.path.join(s.node.cache, "*.log")) + glob.glob(os.path.join(s.node.dir, "report*")):
        with open(path, errors="replace") as file:
            found[os.path.basename(path)] = file.read()
    for words in (("status", "--json"), ("status",)):
        told = s.node.tool(*words)
        found[" ".join(words)] = told.text + told.errors
    for pid in s.node.pids():
        for name in ("cmdline", "environ"):
            with open(f"/proc/{pid}/{name}", "rb") as file:
                found[f"/proc/PID/{name}"] = file.read().decode("utf-8", "replace")
    return found


def hidden(bed, make):
    with Scene(bed, "secret", WARMPATH_LOG="debug", WARMPATH_DEADLINE="4") as s, Surroundings(bed, s.node.dir) as around:
        s.through_proxy(lambda r: None)
        env = make(around)
        key_file = os.path.join(s.node.dir, "customer-key")
        with open(key_file, "wb") as file:
            file.write(CUSTOMER)
        done = s.read("cat", s.path("small"), "stat", s.path("big"), "list", s.path("dir"), deadline_s=60,
                      mapping=f"{s.mapping}?sse_c_key_file={key_file}", WARMPATH_REPORT=os.path.join(s.node.dir, "report"), **env)
        check.match("open", done.text, "small EACCES", done.errors)
        found = sayings(s, done)
        check.that("agent.log" in found and "/proc/PID/cmdline" in found and "report" in found, f"only {sorted(found)} were looked at")
        for place, text in found.items():
            for secret in HIDDEN:
                check.that(secret not in text, f"{secret[:20]}… stands in {place}", text)


def case_secret_while_all_is_well(bed):
    """The same of a job that reads with keys of a file, as verbosely as can be."""
    with Scene(bed, "secretwell", WARMPATH_LOG="debug") as s, Surroundings(bed, s.node.dir) as around:
        access, secret = around.keys
        env = around.profile(f"[default]\naws_access_key_id = {access}\naws_secret_access_key = {secret}\naws_session_token = {TOKEN}\n")
        s.through_proxy(lambda r: proxy.status(503) if r.number == 1 else None)
        done = s.read("cat", s.path("small"), "list", s.path("dir"), WARMPATH_REPORT="1", **env)
        check.match("open", done.text, "small 100 ", done.errors)
        for place, text in sayings(s, done).items():
            check.that(secret not in text and TOKEN[:60] not in text, f"a secret stands in {place}", text)


# Forgets its own copy of the secret, reads through the library, and looks for it in all that a core dump would hold.
# It is given the secret backwards, so as not to bring it along.
REMAINS = r"""
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *backwards;
static size_t len;

static int stands_at(const char *p)
{
    for (size_t i = 0; i < len; i++)
        if (p[i] != backwards[len - 1 - i])
            return 0;
    return 1;
}

int main(int argc, char **argv)
{
    char line[4096], what[4096] = "", byte;
    char *own = getenv("AWS_SECRET_ACCESS_KEY");
    unsigned long from = 0, to = 0, searched = 0;
    backwards = argv[2];
    len = strlen(backwards);
    if (!stands_at(own))
        return 3;
    memset(own, 'x', len);
    int fd = open(argv[1], O_RDONLY);
    if (argc != 3 || fd < 0 || read(fd, &byte, 1) != 1)
        return 4;
    FILE *maps = fopen("/proc/self/smaps", "r");
    while (fgets(line, sizeof(line), maps)) {
        unsigned long a, b;
        if (sscanf(line, "%lx-%lx ", &a, &b) == 2) {
            from = a;
            to = b;
            strcpy(what, line);
        }
        if (strncmp(line, "VmFlags:", 8) != 0 || !strstr(line, " rd") || !strstr(line, " wr") || strstr(line, " dd"))
            continue;
        searched += to - from;
        for (const char *p = (const char *)from; p + len <= (const char *)to; p++)
            if (stands_at(p))
                printf("at %p of %s", (void *)p, what);
    }
    puts(searched > 100000 ? "searched" : "too little was searched");
    return 0;
}
"""


def case_secret_in_what_a_crash_leaves(bed):
    """A core dump of the job holds no secret that the job itself forgot; one of the agent holds nothing."""
    with Scene(bed, "crash") as s:
        program = os.path.join(s.node.dir, "remains")
        subprocess.run(["gcc", "-O1", "-w", "-x", "c", "-", "-o", program], input=REMAINS.encode(), check=True)
        secret = bed.services["AWS_SECRET_ACCESS_KEY"]
        done = job.run([program, s.path("small"), secret[::-1]], s.env())
        check.equal("exit status", done.status, 0, done.errors)
        check.equal("what is left", done.text, "searched\n")
        pid, = s.node.pids()
        with open(f"/proc/{pid}/coredump_filter") as file:
            check.equal("what a dump of the agent holds", int(file.read(), 16), 0)
        with open(f"/proc/{pid}/limits") as file:
            check.match("limits", file.read(), r"Max core file size +0 +0")
