"""The suite "bench": what the benchmark does where nothing is measured. No figure, no speed.

Its modules have names that other suites' modules have, too, so each check (checks.py) is a process of its own.
"""

import os
import re
import subprocess
import sys

import check
from suite import Case
from testbed import ROOT

CHECKS = os.path.join(ROOT, "tests", "bench", "checks.py")
TIMEOUT_S = 60


def run_check(name):
    env = {**os.environ, "PYTHONPATH": os.path.join(ROOT, "bench")}
    child = subprocess.run([sys.executable, "-B", CHECKS, name], env=env, capture_output=True, text=True,
                           timeout=TIMEOUT_S, check=False)
    said = child.stderr.strip().splitlines()
    check.that(child.returncode == 0, said[-1] if said else f"exit status {child.returncode}", child.stderr)


def cases(bed):
    with open(CHECKS, encoding="utf-8") as file:
        names = re.findall(r"^def check_(\w+)", file.read(), re.M)
    return [Case("bench/" + name.replace("_", "-"), lambda n=name: run_check(n)) for name in names]
