"""The suite "cpython": CPython's own tests of files and directories, as Debian ships them.

    local           no library; the standard library and the tests lie in a local directory
    preload-local   the library is loaded and another path is mapped: nothing unmapped may break
    s3              the standard library and the tests themselves lie in the mapping; the tests write
                    to local temporary directories

In each, every test must end as it did in the first: passed, failed or skipped.
"""

import os
import re
import shutil
import subprocess
import threading
import xml.etree.ElementTree

import check
import job
import tree
from node import Node
from suite import Case

MODULES = """test_bufio test_codecs test_file test_filecmp test_fileinput test_fileio test_genericpath test_glob test_gzip
    test_importlib test_io test_largefile test_linecache test_mmap test_os test_pathlib test_pkgutil test_posix
    test_posixpath test_runpy test_shutil test_stat test_subprocess test_tempfile test_tokenize test_wave test_zipfile
    test_zipimport""".split()
LEFT_OUT = re.compile(r"__pycache__|lib-dynload|config-.*|idlelib|lib2to3|tkinter|turtledemo|ensurepip|decimaltestdata|cjkencodings"
                      r"|EXTERNALLY-MANAGED|sitecustomize.py|dist-packages|site-packages|.*\.(so|exe|whl)")
MAPPED = "/mapped/python"
# Ends that show no more than that the mapping is read-only: these tests write beside themselves.
WRITES = re.compile(r"Read-only file system: '/mapped/|write access to the installed location|not writable")
# Tests that have to end in another way in the mapping, and why.
DIFFERENT = {
    r"test_subprocess\..*\.(test_pass_fds_redirected|test_close_fds_when_max_fd_is_lowered)":
        "they count the child's descriptors, and its connection to the agent is one",
    r"test_zipfile\..*\.test_execute_zip": "objects have no x bit",
}
DEADLINE_S = 300
_libraries = []


class Library:
    """The standard library and the chosen tests: a local copy and the same in a bucket."""

    def __init__(self, bed):
        self.bed = bed
        self.lock = threading.Lock()
        self.node = None

    def ready(self):
        with self.lock:
            if self.node is None:
                self.local = os.path.join(self.bed.scratch, "python")
                self._copy()
                bucket = self.bed.store.make_bucket("python")
                tree.upload(self.local, self.bed.store, bucket, "lib")
                self.mapping = f"{MAPPED}=s3://{bucket}/lib"
                self.node = Node(self.bed, "python")
        return self

    def _copy(self):
        where = "import sysconfig; print(sysconfig.get_path('stdlib'))"
        source = subprocess.run([self.bed.python, "-c", where], capture_output=True, text=True, check=True).stdout.strip()
        tests = os.path.join(source, "test")
        check.that(os.path.exists(os.path.join(tests, "test_io.py")) or os.path.isdir(os.path.join(tests, "test_io")),
                   f"CPython's tests are not in {tests}; run scripts/deps test")

        shutil.copytree(source, self.local, ignore=lambda folder, names: [name for name in names if LEFT_OUT.fullmatch(name)])
        # Compiled files that need not match their source's time, which is another in S3. Of the tests, what all share.
        for words in (["-x", "/test/", self.local], [os.path.join(self.local, "test", name) for name in ("support", "libregrtest")]):
            subprocess.run([self.bed.python, "-m", "compileall", "-q", "-j", "2", "--invalidation-mode", "unchecked-hash", *words],
                           check=False, stdout=subprocess.DEVNULL)

    def close(self):
        if self.node:
            self.node.close()


def cases(bed):
    library = Library(bed)
    _libraries.append(library)
    return [Case(f"cpython/{module.removeprefix('test_')}", lambda module=module: compare(bed, library.ready(), module))
            for module in MODULES]


def close():
    while _libraries:
        _libraries.pop().close()


def compare(bed, library, module):
    want, _ = outcomes(bed, module, library.local, bed.base_env())
    check.that(len(want) > 3, f"{module} ran {len(want)} tests")
    with Node(bed, "pass") as node:
        same("preload-local", want, *outcomes(bed, module, library.local, node.env("/mapped/other=s3://wp-other-bucket/x")))
        check.that(not node.pids(), "preload-local: an agent was started for no mapped path")
    same("s3", want, *outcomes(bed, module, MAPPED, library.node.env(library.mapping)))


def outcomes(bed, module, directory, env):
    """{test: passed, skipped, failure or error}, and all that was printed."""
    scratch = bed.fresh_dir("py")
    record = os.path.join(scratch, "record.xml")
    env = env | {"PYTHONPATH": directory, "TMPDIR": scratch}
    env.pop("PYTHONDONTWRITEBYTECODE")
    try:
        done = job.run([bed.python, "-m", "test", "-v", "--timeout", str(DEADLINE_S), "--junit-xml", record, module], env, cwd=scratch,
                       deadline_s=DEADLINE_S)
        check.that(os.path.exists(record), f"{module} left no record (exit status {done.status})", done.text + done.errors)
        return dict(results(record)), done.text + done.errors
    finally:
        bed.remove(scratch)


def results(record):
    for test in xml.etree.ElementTree.parse(record).iter("testcase"):
        ends = [child for child in test if child.tag in ("failure", "error", "skipped")]
        wrote = any(WRITES.search(f"{end.text} {end.get('message')}") for end in ends)
        yield test.get("name") or "unnamed", "writes" if wrote else ends[0].tag if ends else "passed"


def same(world, want, got, text):
    different = [f"{name}: {got.get(name, 'not run')}, locally {want.get(name, 'not run')}"
                 for name in sorted(want.keys() | got.keys()) if want.get(name) != got.get(name) and not excused(world, name, got)]
    check.that(not different, f"{world}: {len(different)} tests differ, {different[:1]}", "\n".join(different) + "\n" + excerpt(text))


def excused(world, name, got):
    return world == "s3" and (got.get(name) == "writes" or any(re.search(pattern, name) for pattern in DIFFERENT))


def excerpt(text):
    """The tracebacks among what regrtest printed."""
    return "\n".join(re.findall(r"^=====+\n(?:ERROR|FAIL).*?(?=^=====|^-----+\nRan )", text, re.M | re.S))
