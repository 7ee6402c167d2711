"""The test runner behind tests/run: picks suites and cases, runs them, counts.

Takes the services' environment as given; tests/run has started them.
"""

import argparse
import fnmatch
import importlib.util
import os
import signal
import sys

import suite
import unit
from testbed import ROOT, Testbed

SUITES_ASKED_FOR = ("libc", "scale")   # only where --only names them
SUITES = ("unit", "docs", "bench", "programs", "cpython", "random", "faults", "agent", "cluster")
AT_ONCE = {"docs": 1, "bench": 2, "programs": 2, "cpython": 2, "random": 2, "faults": 4, "agent": 1, "cluster": 1, "libc": 1, "scale": 1}


def options():
    parser = argparse.ArgumentParser(prog="tests/run")
    parser.add_argument("--only", action="append", metavar="SUITE[,SUITE]")
    parser.add_argument("--build", default="build", metavar="DIR")
    parser.add_argument("--filter", default="", metavar="PATTERN")
    parser.add_argument("--verbose", action="store_true")
    parser.add_argument("--doors", action="store_true", help="programs: tell calls that went past the library")
    parser.add_argument("--seed", type=int, help="random: this seed only")
    parser.add_argument("--ops", type=int, help="random: so many operations")
    parser.add_argument("--root", metavar="DIR", help="libc: the other system")
    parser.add_argument("--library", metavar="FILE", dest="other_library", help="libc: the library built for it")
    chosen = parser.parse_args()
    chosen.only = [name for names in chosen.only or [",".join(SUITES)] for name in names.split(",")]
    for name in chosen.only:
        if name not in SUITES + SUITES_ASKED_FOR:
            parser.error(f"there is no suite '{name}'; there are: {', '.join(SUITES)}")
    return chosen


def chooser(pattern):
    """A function that tells whether a case's name was asked for."""
    if not pattern:
        return lambda name: True
    if "*" in pattern:
        return lambda name: fnmatch.fnmatchcase(name, pattern)
    return lambda name: pattern in name


def load(name):
    """The module tests/NAME/cases.py, with its own folder on the path."""
    folder = os.path.join(ROOT, "tests", name)
    sys.path.append(folder)
    spec = importlib.util.spec_from_file_location(f"cases_{name}", os.path.join(folder, "cases.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run_suite(name, bed, report, wanted):
    if name == "unit":
        for result in unit.results(bed, wanted):
            report.add(result)
        return
    module = load(name)
    cases = [case for case in module.cases(bed) if wanted(case.name)]
    try:
        suite.run(cases, report, AT_ONCE[name])
    finally:
        if hasattr(module, "close"):
            module.close()


def missing_products(bed):
    return [path for path in (bed.preload, bed.agent, bed.tool) if not os.path.exists(path)]


def main():
    signal.signal(signal.SIGTERM, lambda *ignored: sys.exit(143))
    chosen = options()
    bed = Testbed(os.environ, os.path.join(ROOT, chosen.build))
    bed.chosen_seed, bed.chosen_ops, bed.doors = chosen.seed, chosen.ops, chosen.doors
    bed.root, bed.other_library = chosen.root, chosen.other_library
    report = suite.Report(chosen.verbose)
    wanted = chooser(chosen.filter)
    missing = missing_products(bed)
    for path in missing:
        report.add(suite.Result(suite.Case(f"build/{os.path.basename(path)}", None),
                                f"{path} isn't there; run `make` first"))
    if missing:
        sys.exit(report.close())
    for name in SUITES + SUITES_ASKED_FOR:
        if name in chosen.only:
            run_suite(name, bed, report, wanted)
    leaked = bed.leaked()
    if leaked:
        report.add(suite.Result(suite.Case("build/leaked", None), "mapped paths reached the kernel and "
                                f"were made there: {leaked.splitlines()[0]}", leaked))
    for summary, text, times in bed.sanitizer_reports():
        report.add(suite.Result(suite.Case("build/sanitizer", None), f"{summary} ({times} times)", text))
    sys.exit(report.close())


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
