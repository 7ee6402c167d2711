"""The unit suite: every program tests/unit/test_* of the build, each test in it a case.

They are cmocka programs and print TAP. A program that crashes, prints no plan or runs fewer
tests than planned fails as a whole, under its own name; so does one that skips.
"""

import glob
import os
import re

import job
from check import Failure
from suite import Case, Result

DIRECTORY = "tests/unit"


def programs(build):
    return sorted(path for path in glob.glob(os.path.join(build, DIRECTORY, "test_*"))
                  if os.access(path, os.X_OK) and os.path.isfile(path))


def results(bed, wanted):
    """Yields a Result for each test in each program."""
    found = programs(bed.build)
    if not found:
        case = Case("unit/programs", None)
        yield Result(case, f"there is no {bed.build}/{DIRECTORY}/test_*; run `make test`, which builds them")
    for path in found:
        program = "unit/" + os.path.basename(path)
        try:
            yield from (r for r in _program(bed, path, program) if wanted(r.case.name))
        except Failure as failure:
            yield Result(Case(program, None), str(failure), failure.detail)


def _program(bed, path, program):
    env = bed.base_env() | {
        "CMOCKA_MESSAGE_OUTPUT": "TAP", "WARMPATH_TEST_REDIS": bed.services["WARMPATH_TEST_REDIS"]}
    done = job.run([path], env, cwd=bed.fresh_dir("unit"), deadline_s=120)
    text = done.text + "\n" + done.errors
    planned = [int(number) for number in re.findall(r"^1\.\.(\d+)", text, re.M)]
    lines = re.findall(r"^(not ok|ok) \d+ ?-? ?(.*)$", text, re.M)
    for verdict, name in lines:
        case = Case(f"{program}/{name.replace('# SKIP', '').strip()}", None)
        if verdict == "not ok" or "# SKIP" in name:
            yield Result(case, _messages(text, name) or ("skipped" if "# SKIP" in name else "failed"), text)
        else:
            yield Result(case)
    if done.status < 0:
        yield Result(Case(program, None), f"ended by signal {-done.status}", text)
    elif not planned or len(lines) != sum(planned):
        yield Result(Case(program, None), f"planned {sum(planned)} tests, ran {len(lines)}, "
                     f"exit status {done.status}", text)
    elif done.status != 0 and not any(verdict == "not ok" for verdict, _ in lines):
        yield Result(Case(program, None), f"exit status {done.status}, but no test failed", text)


def _messages(text, name):
    """The comment lines that follow the failed test; cmocka says fail_msg()'s words elsewhere, on stderr."""
    rest = text.partition(name + "\n")[2]
    comments = re.match(r"(?:#.*\n)*", rest).group(0)
    said = " ".join(line.lstrip("# ") for line in comments.splitlines())
    if said.endswith("Failure!"):
        said += " " + "; ".join(re.findall(r"^ERROR: (.*)$", text, re.M))
    return said
