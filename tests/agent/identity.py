"""Where credentials come from: each way the SDKs know, with keys that a fake of AWS' endpoints
hands out and that the real S3 then accepts."""

import ast
import contextlib
import os
import threading
import time

import check
import proxy
from scene import MOUNT, Scene
from surroundings import ROLE, Surroundings


@contextlib.contextmanager
def scene(bed, name, **settings):
    """A scene whose S3 looks at session tokens, and what hands them out."""
    with Scene(bed, name, **settings) as s, Surroundings(bed, s.node.dir) as around:
        s.through_proxy(around.rule)
        yield s, around
        check.equal("complaints of the endpoints", around.complaints, [])


WAYS = {
    "container": lambda around: around.container(),
    "instance": lambda around: around.instance(AWS_EC2_METADATA_V1_DISABLED="true"),
    "web-identity": lambda around: around.web_identity(),
    "role": lambda around: around.role(),
    "process": lambda around: around.process(),
}


def table(bed):
    for name, way in WAYS.items():
        yield "from-" + name, lambda n=name, w=way: from_way(bed, n, w)
        yield "renewed-" + name, lambda n=name, w=way: renewed(bed, n, w)


def from_way(bed, name, way):
    """Open, stat and list with credentials of that kind; they are asked for once."""
    with scene(bed, name) as (s, around):
        env = way(around)
        done = s.read("cat", s.path("big"), "stat", s.path("small"), "list", s.path("dir"), **env)
        lines = done.text.splitlines()
        check.match("data", lines[0], f"big {len(s.objects['big'])} ", done.errors)
        check.equal("stat and list", lines[1:], [f"{MOUNT}/small 100 file", f"{MOUNT}/dir file"], done.errors)
        s.silent(done)
        s.right(s.read("cat", s.path("huge"), **env), "huge")
        check.equal("hand-outs", around.handed, 1)
        check.equal("used", set(around.used), {1})


def renewed(bed, name, way):
    """S3 calls the keys expired in the middle of a job: renewed once, whoever reads, and the job does
    not notice."""
    with scene(bed, name, WARMPATH_META_TTL="0") as (s, around):
        env = way(around)
        with s.start("cat", s.path("small"), "wait", "cat", s.path("huge"), "stat", s.path("big"), "list", s.path("dir"), **env) as reader:
            check.match("before", "\n".join(reader.until_waiting()), "small 100 ")
            threading.Event().wait(1.1)     # keys that are newer than that are not taken for expired
            around.accepted = {2}
            results = []
            others = [threading.Thread(target=lambda: results.append(s.read("cat", s.path("big"), **env))) for _ in range(4)]
            for other in others:
                other.start()
            done = reader.rest()
            for other in others:
                other.join()
        lines = done.text.splitlines()
        check.match("data", lines[0], f"huge {len(s.objects['huge'])} ", done.errors)
        check.equal("stat and list", lines[1:], [f"{MOUNT}/big {len(s.objects['big'])} file", f"{MOUNT}/dir file"], done.errors)
        for result in results:
            s.right(result, "big")
        check.equal("hand-outs", around.handed, 2)


INHERITED = """
import os, urllib.request
names = {n: os.readlink(f"/proc/self/fd/{n}") for n in range(1024) if os.path.lexists(f"/proc/self/fd/{n}")}
print(names, file=open("FOUND", "w"))
print(urllib.request.urlopen("URL").read().decode())
"""


def case_a_program_inherits_nothing(bed):
    """It is started while the agent has connections, files and an object open: it gets three streams, and no more."""
    with scene(bed, "inherits") as (s, around), s.start("cat", s.path("big"), "wait", **around.container()) as reader:
        reader.until_waiting()
        found = os.path.join(s.node.dir, "found")
        script = around.write("program.py", INHERITED.replace("FOUND", found).replace("URL", around.url + "/process"))
        env = around.profile(f"[profile made]\ncredential_process = {bed.python} {script}\n", AWS_PROFILE="made")
        s.right(s.read("cat", s.path("dir/file"), **env), "dir/file")
        reader.rest()
        with open(found) as file:
            names = ast.literal_eval(file.read())
        check.equal("descriptors", list(names), [0, 1, 2], str(names))


def case_renewed_before_they_expire(bed):
    """Keys that live for seconds: a job that reads all the time never meets expired ones."""
    with scene(bed, "short", WARMPATH_META_TTL="0") as (s, around):
        env = around.container()
        around.lifetime_s = 4
        words = ["cat", s.path("small"), "wait"] * 20
        with s.start(*words, **env) as reader:
            for _ in range(20):
                check.match("reading", "\n".join(reader.until_waiting()), "small 100 ")
                threading.Event().wait(0.4)
                reader.go_on()
            done = reader.rest()
        s.silent(done)
        check.that(around.handed >= 2, "the keys were never renewed")
        check.that(around.handed <= 8, f"the keys were renewed {around.handed} times in 8 s")
        check.equal("in order", around.used, sorted(around.used))


def case_renewal_fails_while_keys_hold(bed):
    """The endpoint is down when it is time to renew: the old keys go on until they expire, then
    EACCES with the reason; once it is back, reading goes on."""
    with scene(bed, "fails", WARMPATH_META_TTL="0") as (s, around):
        env = around.container()
        around.lifetime_s = 5
        words = ["cat", s.path("small"), "wait"]
        with s.start(*words * 40, **env) as reader:
            check.match("first", "\n".join(reader.until_waiting()), "small 100 ")
            around.fault = lambda path: (500, "{}")
            good = 1
            for _ in range(38):
                threading.Event().wait(0.3)
                reader.go_on()
                text = "\n".join(reader.until_waiting())
                if "EACCES" in text:
                    break
                check.match("meanwhile", text, "small 100 ")
                good += 1
            check.match("in the end", text, "small EACCES")
            check.that(good >= 5, f"only {good} reads were served before the keys expired")
            around.fault = lambda path: None
            around.lifetime_s = 3600
            for _ in range(30):
                threading.Event().wait(0.3)
                reader.go_on()
                text = "\n".join(reader.until_waiting())
                if "small 100 " in text:
                    break
            check.match("when it is back", text, "small 100 ")
            reader.process.kill()


def case_deadline_while_keys_are_looked_for(bed):
    """Who hands out keys does not answer: the read ends at its deadline, with the reason."""
    with scene(bed, "wait", WARMPATH_DEADLINE="3") as (s, around):
        around.fault = lambda path: "hang"
        begin = time.monotonic()
        done = s.read("cat", s.path("small"), **around.container())
        check.that(time.monotonic() - begin < 15, f"that took {time.monotonic() - begin:.0f} s")
        s.refused(done, "small", "EACCES")
        s.says(done, "container's credential endpoint does not answer")


def case_instance_behind_a_hop_too_many(bed):
    """The answer to PUT never arrives: IMDSv1 is tried after a second, unless that is forbidden."""
    with scene(bed, "hop") as (s, around):
        around.fault = lambda path: "hang" if path == "/latest/api/token" else None
        s.right(s.read("cat", s.path("small"), **around.instance()), "small")
        done = s.read("cat", s.path("small"), **around.instance(AWS_EC2_METADATA_V1_DISABLED="true"), deadline_s=30)
        s.refused(done, "small", "EACCES")
        s.says(done, "hop limit")


def case_role_from_a_container(bed):
    """credential_source: a role assumed with the container's own keys."""
    with scene(bed, "chain") as (s, around):
        container = around.container()
        env = {**container, **around.profile(f"[default]\nrole_arn = {ROLE}\ncredential_source = EcsContainer\nexternal_id = a=b&c\n",
                                             AWS_ENDPOINT_URL_STS=around.url)}
        around.source.access_key, around.source.secret_key, around.source.token = *around.keys, around.token(1)
        s.right(s.read("cat", s.path("small"), **env), "small")
        check.equal("used", set(around.used), {2})


def case_order_of_sources(bed):
    """Keys of the environment before everything, a profile's before the container's."""
    with scene(bed, "order") as (s, around):
        env = {**around.web_identity(), **around.container()}
        s.right(s.read("cat", s.path("small"), **env), "small")
        check.equal("the web identity first", [path for _, path in around.seen], ["/"])
        around.seen.clear()
        s.proxy.rule = lambda r: None
        with_keys = {**env, "AWS_ACCESS_KEY_ID": around.keys[0], "AWS_SECRET_ACCESS_KEY": around.keys[1]}
        s.right(s.read("cat", s.path("big"), **with_keys), "big")
        check.equal("nobody was asked", around.seen, [])


def case_keys_replaced_in_the_file(bed):
    """Keys of a file that S3 calls expired: the file is read again at once, and the job goes on."""
    with scene(bed, "file", WARMPATH_META_TTL="0") as (s, around):
        def write(number):
            return around.profile(f"[default]\naws_access_key_id = {around.keys[0]}\n"
                                  f"aws_secret_access_key = {around.keys[1]}\naws_session_token = {around.token(number)}\n")
        env = write(1)
        with s.start("cat", s.path("small"), "wait", "cat", s.path("small"), **env) as reader:
            check.match("before", "\n".join(reader.until_waiting()), "small 100 ")
            threading.Event().wait(1.1)
            around.accepted = {2}
            write(2)
            check.match("afterwards", reader.rest().text, "small 100 ")


def case_the_agent_ends_while_it_waits(bed):
    """An endpoint that hangs does not keep the agent from ending."""
    with scene(bed, "ends") as (s, around):
        around.fault = lambda path: "hang"
        with s.start("cat", s.path("small"), **around.container()):
            check.that(wait(lambda: around.seen), "the endpoint was never asked")
            first = s.node.pids()
            s.node.tool("stop")     # the job will start another one
            check.that(wait(lambda: not set(first) & set(s.node.pids())), "the agent did not end")


def wait(condition):
    event = threading.Event()
    for _ in range(200):
        if condition():
            return True
        event.wait(0.05)
    return False


def case_sso_is_named(bed):
    with scene(bed, "sso") as (s, around):
        env = around.profile("[default]\nsso_session = corp\nsso_account_id = 1\n[sso-session corp]\nsso_start_url = https://x\n")
        done = s.read("cat", s.path("small"), **env)
        s.refused(done, "small", "EACCES")
        s.says(done, "IAM Identity Center", "export-credentials")
