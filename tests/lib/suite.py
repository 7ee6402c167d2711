"""Cases and how they are run: in order of the list, several at a time, one line each."""

import concurrent.futures
import dataclasses
import time
import traceback

import job
from check import Failure


DETAIL_LINES = 40


@dataclasses.dataclass
class Case:
    name: str               # "programs/grep-r"
    run: object             # called without arguments; raises Failure


@dataclasses.dataclass
class Result:
    case: Case
    failure: str = ""
    detail: str = ""
    seconds: float = 0.0


def attempt(case):
    begin = time.monotonic()
    try:
        case.run()
    except Failure as failure:
        return Result(case, str(failure), failure.detail, time.monotonic() - begin)
    except Exception as error:      # a bug in the test is a failure too
        text = f"{type(error).__name__}: {error}"
        return Result(case, text, traceback.format_exc(), time.monotonic() - begin)
    return Result(case, seconds=time.monotonic() - begin)


class Report:
    """Prints a line a case and counts."""

    def __init__(self, verbose):
        self.verbose = verbose
        self.passed = 0
        self.failed = 0

    def add(self, result):
        name = result.case.name
        if not result.failure:
            self.passed += 1
            slow = f" ({result.seconds:.0f} s)" if result.seconds >= 5 else ""
            print(f"ok   {name}{slow}", flush=True)
            return
        self.failed += 1
        suite = name.partition("/")[0]
        first = " ".join(result.failure.splitlines())
        print(f"FAIL {name}: {first}  [repeat: tests/run --only {suite} --filter '{name}' --verbose]",
              flush=True)
        if self.verbose and result.detail:
            for line in result.detail.splitlines()[:DETAIL_LINES]:
                print("     | " + line, flush=True)

    def close(self):
        print(f"{self.passed} passed, {self.failed} failed", flush=True)
        return 1 if self.failed or not self.passed else 0


def run(cases, report, at_once):
    """Runs the cases, `at_once` at a time, and reports them in order."""
    pool = concurrent.futures.ThreadPoolExecutor(at_once)
    try:
        for result in pool.map(attempt, cases):
            report.add(result)
    except BaseException:       # Ctrl-C: let the cases that run come to their end
        job.kill_all()
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
