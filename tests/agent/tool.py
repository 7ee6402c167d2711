"""warmpath run, status and the report."""

import json
import os

import check
import job
from scene import Scene


def case_run_serves_a_command(bed):
    """`warmpath run --map … -- CMD`: no LD_PRELOAD by hand, the command's exit status."""
    with Scene(bed, "run") as s:
        env = s.env(mapping=None)
        del env["LD_PRELOAD"]
        run = lambda *words: job.run([bed.tool, "run", "--map", s.mapping, "--", *words], env)
        done = run("cat", s.path("dir/file"))
        check.equal("output", done.text, "below a directory\n", done.errors)
        check.equal("exit status", done.status, 0)
        check.equal("its exit status", run("sh", "-c", "exit 7").status, 7)
        check.equal("arguments", run("printf", "%s|", "a b", "--", "$x").text, "a b|--|$x|")


def case_run_takes_the_environment(bed):
    with Scene(bed, "runenv") as s:
        env = s.env()
        del env["LD_PRELOAD"]
        check.equal("output", job.run([bed.tool, "run", "--", "cat", s.path("dir/file")], env).text, "below a directory\n")


def case_run_without_a_command(bed):
    with Scene(bed, "usage") as s:
        for words in ([], ["--"], ["--map"]):
            done = s.node.tool("run", *words)
            check.that(done.status != 0, f"run {words} ended with 0")
            check.match("standard error", done.errors, "(?i)usage|command|warmpath run")


def case_run_command_missing(bed):
    with Scene(bed, "nocmd") as s:
        done = s.node.tool("run", "--map", s.mapping, "--", "/no/such/program")
        check.equal("exit status", done.status, 127, done.errors)
        check.match("standard error", done.errors, "/no/such/program")


def case_run_says_when_a_command_is_static(bed):
    with Scene(bed, "static") as s:
        source, program = os.path.join(s.node.dir, "a.c"), os.path.join(s.node.dir, "a")
        with open(source, "w") as file:
            file.write("int main(void) { return 0; }\n")
        built = job.run(["gcc", "-static", "-o", program, source], bed.base_env())
        check.equal("gcc", built.status, 0, built.errors)
        done = s.node.tool("run", "--map", s.mapping, "--", program)
        check.match("standard error", done.errors, "(?i)static")


def case_status(bed):
    with Scene(bed, "status") as s:
        check.equal("status without an agent", bool(s.node.tool("status").text + s.node.tool("status").errors), True)
        s.right(s.read("cat", s.path("big")), "big")
        done = s.node.tool("status")
        check.equal("exit status", done.status, 0, done.errors)
        check.that(done.text.strip(), "status printed nothing")
        counters = s.node.counters()
        check.that(all(isinstance(value, int) for value in counters.values()), f"counters: {counters}")
        for name in ("s3_get_requests", "s3_head_requests", "s3_list_requests", "s3_bytes", "store_hit_blocks", "store_miss_blocks"):
            check.that(name in counters, f"there is no counter {name}")


def case_status_counts_what_s3_saw(bed):
    """The counters agree with the requests that passed the proxy."""
    with Scene(bed, "count") as s:
        s.through_proxy(lambda r: None)
        s.read("cat", s.path("big"), "list", s.path("dir"), "stat", s.path("none"))
        counters = s.node.counters()
        check.equal("s3_get_requests", counters["s3_get_requests"], s.proxy.count(lambda r: r.is_block))
        check.equal("s3_head_requests", counters["s3_head_requests"], s.proxy.count(lambda r: r.method == "HEAD"))
        check.equal("s3_list_requests", counters["s3_list_requests"], s.proxy.count(lambda r: r.is_list))


def case_report_on_standard_error(bed):
    with Scene(bed, "report") as s:
        done = s.read("cat", s.path("big"), WARMPATH_REPORT="1")
        s.right(done, "big")
        check.that(len(done.errors.splitlines()) >= 1 and "warmpath" in done.errors, "no report on standard error", done.errors)


def case_report_as_json(bed):
    """Written when the job's first process ends, for all its processes."""
    with Scene(bed, "json") as s:
        path = os.path.join(s.node.dir, "report.json")
        command = f"cat {s.path('big')} >/dev/null; (cat {s.path('small')} >/dev/null); cat <{s.path('dir/file')}"
        done = job.run(["/bin/sh", "-c", command], s.env(WARMPATH_REPORT=path))
        check.equal("output", done.text, "below a directory\n", done.errors)
        check.equal("standard error", done.errors, "")
        with open(path) as file:
            report = json.load(file)
        text = json.dumps(report)
        check.match("the report", text, "read_bytes")
        counters = report.get("counters", report)
        want = len(s.objects["big"]) + 100 + 18
        check.that(counters["read_bytes"] >= want, f"read_bytes {counters['read_bytes']}, want {want} at least", text)


def case_report_changes_no_output(bed):
    """A program that closes its descriptors or is killed ends as ever."""
    with Scene(bed, "quiet") as s:
        env = s.env(WARMPATH_REPORT="1")
        done = job.run(["/bin/sh", "-c", f"exec 2>&-; cat {s.path('dir/file')}; exit 3"], env)
        check.equal("output", (done.text, done.status), ("below a directory\n", 3))
        done = job.run(["/bin/sh", "-c", "kill -9 $$"], env)
        check.equal("killed", done.status, -9)


def case_log_levels(bed):
    """WARMPATH_LOG=debug says more, the default says nothing when all is well, never a secret."""
    with Scene(bed, "log") as s:
        s.silent(s.read("cat", s.path("small")))
        done = s.read("cat", s.path("big"), WARMPATH_LOG="debug")
        s.right(done, "big")
        text = done.errors
        for folder, _, names in os.walk(s.node.cache):
            for name in names:
                if name.endswith(".log"):
                    with open(os.path.join(folder, name), errors="replace") as file:
                        text += file.read()
        check.that(bed.services["AWS_SECRET_ACCESS_KEY"] not in text, "the secret is in the log")


def case_help(bed):
    with Scene(bed, "help") as s:
        for words in (["--help"], ["help"], ["run", "--help"], ["status", "--help"]):
            done = s.node.tool(*words)
            check.equal(f"{words}: exit status", done.status, 0, done.errors)
            check.that(done.text.strip(), f"{words} printed nothing")
        done = s.node.tool("frobnicate")
        check.that(done.status != 0 and "frobnicate" in done.errors, "an unknown command", done.errors)
