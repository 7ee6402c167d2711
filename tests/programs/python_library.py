"""Python's library and the packages that read data: what a user's job is made of."""

from worlds import py, venv

PROGRAMS = [
    py("py-shutil", """
        import filecmp, shutil
        shutil.copyfile(f"{D}/sizes/9MiB", f"{T}/a")
        shutil.copy(f"{D}/text/crlf.txt", f"{T}/b")
        shutil.copytree(f"{D}/nested", f"{T}/tree")
        shutil.copyfileobj(open(f"{D}/one-byte", "rb"), open(f"{T}/c", "wb"))
        print(filecmp.cmp(f"{T}/a", f"{D}/sizes/9MiB", shallow=False), oct(os.stat(f"{T}/b").st_mode), open(f"{T}/c").read())
        print(sorted(os.path.join(f, n) for f, _, names in os.walk(f"{T}/tree") for n in names))
        left = filecmp.dircmp(f"{D}/nested", f"{T}/tree")
        print(left.left_only, left.right_only, left.diff_files, shutil.disk_usage(D).total >= 0)
    """),
    py("py-make-archive", """
        import shutil, tarfile, zipfile
        for kind, entries in (("zip", zipfile.ZipFile), ("gztar", tarfile.open)):
            archive = entries(shutil.make_archive(f"{T}/made", kind, D, "nested"))
            print(sorted(archive.namelist() if kind == "zip" else archive.getnames()))
    """, env={"TZ": "Etc/GMT+12"}),
    py("py-pathlib", """
        from pathlib import Path
        root = Path(D)
        print(sorted(map(str, root.glob("*/*/*leaf*"))), sorted(map(str, root.rglob("leaf-*.txt"))))
        print(sorted(p.name for p in (root / "names").iterdir()), (root / "one-byte").read_bytes(), (root / "text/crlf.txt").read_text())
        print((root / "text").is_dir(), (root / "empty").stat().st_size, (root / "no").exists(), (root / "text" / ".." / "empty").resolve())
    """),
    py("py-glob", """
        import fnmatch, glob
        print(sorted(glob.glob(f"{D}/t*/*.txt")), sorted(glob.glob(f"{D}/**/leaf*", recursive=True)), sorted(glob.glob("**/*.py", root_dir=f"{D}/code", recursive=True)))
        print(len(glob.glob(f"{D}/pages/1*")), glob.glob(glob.escape(f"{D}/names/brackets[1]")), sorted(glob.glob(f"{D}/names/.*")))
    """),
    py("py-zipfile", """
        import zipfile
        with zipfile.ZipFile(f"{D}/archives/bundle.zip") as archive:
            print(archive.testzip(), [(i.filename, i.file_size, i.CRC) for i in archive.infolist()], len(archive.read("text/alpha.txt")))
            with archive.open("text/beta.txt") as member:
                member.seek(1000)
                print(member.readline())
    """),
    py("py-tarfile", """
        import tarfile
        for name in ("bundle.tar", "bundle.tar.gz"):
            with tarfile.open(f"{D}/archives/{name}") as archive:
                print([(m.name, m.size) for m in archive], len(archive.extractfile("sizes/64KiB").read()))
        with tarfile.open(f"{T}/new.tar", "w") as archive:
            archive.add(f"{D}/nested", "nested")
        print(sorted(tarfile.open(f"{T}/new.tar").getnames()))
    """),
    py("py-csv-json-pickle-configparser", """
        import configparser, csv, json, pickle
        with open(f"{D}/data/table.csv", newline="") as file:
            rows = list(csv.DictReader(file))
        print(len(rows), rows[7], sum(float(r["value"]) for r in rows))
        print(len(json.load(open(f"{D}/data/document.json"))["items"]), sum(pickle.load(open(f"{D}/data/values.pickle", "rb"))))
        config = configparser.ConfigParser()
        print(config.read([f"{D}/data/settings.ini", f"{D}/none.ini"]), dict(config["agent"]))
    """),
    py("py-compression", """
        import bz2, gzip, hashlib, lzma
        for module, name in ((gzip, "notes.gz"), (lzma, "notes.xz"), (bz2, "notes.bz2")):
            with module.open(f"{D}/archives/{name}") as file:
                print(name, hashlib.sha256(file.read()).hexdigest())
                file.seek(5000)
                print(file.readline())
    """),
    py("py-hashlib", """
        import hashlib
        for name in ("sizes/9MiB", "empty", "sizes/4MiB+1"):
            with open(f"{D}/{name}", "rb") as file:
                print(hashlib.file_digest(file, "sha256").hexdigest(), file.tell())
    """),
    py("py-sqlite", """
        import sqlite3
        for options in ("mode=ro&immutable=1", "mode=ro", "immutable=1"):
            database = sqlite3.connect(f"file:{D}/data/words.sqlite?{options}", uri=True)
            print(options, database.execute("select word, count(*), sum(id) from words group by word order by word").fetchall())
            print(database.execute("select id from words where word = 'warm' order by value limit 5").fetchall())
            database.close()
    """),
    py("py-sqlite-attach-mmap", """
        import sqlite3
        database = sqlite3.connect(":memory:", uri=True)
        database.execute(f"attach 'file:{D}/data/words.sqlite?mode=ro' as tree")
        database.execute("pragma tree.mmap_size = 100000000")
        print(database.execute("select count(*), max(value) from tree.words").fetchall())
        database.execute("create table copy as select * from tree.words where id < 100")
        print(database.execute("select count(*) from copy").fetchall())
    """),
    py("py-linecache-fileinput-tokenize", """
        import fileinput, linecache, tokenize
        print(repr(linecache.getline(f"{D}/text/alpha.txt", 1234)), linecache.getline(f"{D}/none", 1))
        with fileinput.input([f"{D}/text/crlf.txt", f"{D}/one-byte"]) as lines:
            print([(os.path.basename(fileinput.filename()), fileinput.lineno(), line) for line in lines])
        with tokenize.open(f"{D}/code/script.py") as file:
            print(file.encoding, file.read())
    """),
    py("py-import-package", """
        import importlib, importlib.resources, pkgutil
        sys.path.insert(0, f"{D}/code/pkg")
        import shapes
        from shapes.solid import cube
        print(shapes.area(2), cube.volume(3), shapes.__file__, sorted(m.name for m in pkgutil.walk_packages(shapes.__path__, "shapes.")))
        print(importlib.resources.files("shapes").joinpath("words.txt").read_text())
    """),
    py("py-import-writes-no-cache", """
        sys.dont_write_bytecode = False
        sys.path.insert(0, f"{D}/code/pkg")
        import shapes
        print(shapes.area(1), os.path.exists(f"{D}/code/pkg/shapes/__pycache__"))
    """, s3_only="3.141593 False\n"),
    py("py-runpy-zipimport", """
        import runpy
        runpy.run_path(f"{D}/code/app.zip", run_name="__main__")
        sys.path.insert(0, f"{D}/code/app.zip")
        import zipimport
        print(zipimport.zipimporter(f"{D}/code/app.zip").get_source("__main__"))
    """),
    py("py-pool-fork", """
        import hashlib, multiprocessing
        def work(n):
            with open(f"{D}/sizes/9MiB", "rb") as file:
                file.seek(n * 1000003)
                return hashlib.sha256(file.read(1000003)).hexdigest()
        if __name__ == "__main__":
            open(f"{D}/one-byte").read()
            with multiprocessing.get_context("fork").Pool(4) as pool:
                print(pool.map(work, range(10)))
    """),
    py("py-pool-spawn", """
        import hashlib, multiprocessing
        def work(n):
            with open(f"{D}/sizes/9MiB", "rb") as file:
                file.seek(n * 1000003)
                return hashlib.sha256(file.read(1000003)).hexdigest()
        if __name__ == "__main__":
            with multiprocessing.get_context("spawn").Pool(2) as pool:
                print(pool.map(work, range(10)))
    """),
    py("py-pool-inherits-open-file", """
        import hashlib, multiprocessing
        file = open(f"{D}/sizes/9MiB", "rb", buffering=0)
        def work(n):
            return hashlib.sha256(os.pread(file.fileno(), 100003, n * 100003)).hexdigest()
        if __name__ == "__main__":
            with multiprocessing.get_context("fork").Pool(4) as pool:
                print(pool.map(work, range(90)))
    """),
    py("py-subprocess-stdin", """
        import subprocess
        with open(f"{D}/text/alpha.txt", "rb") as file:
            print(subprocess.run(["wc"], stdin=file, capture_output=True).stdout)
        with open(f"{D}/text/crlf.txt", "rb", buffering=0) as file:
            file.seek(5)
            print(subprocess.run(["head", "-c", "3"], stdin=file, capture_output=True).stdout, file.tell())
    """),
    py("py-subprocess-cwd", """
        import subprocess
        print(subprocess.run(["sh", "-c", "pwd; ls; cat a.txt"], cwd=f"{D}/nested", capture_output=True).stdout)
        try:
            subprocess.run(["true"], cwd=f"{D}/missing")
        except FileNotFoundError as error:
            print(error)
    """),
    py("py-subprocess-pass-fds", """
        import subprocess
        fd = os.open(f"{D}/text/crlf.txt", os.O_RDONLY)
        os.read(fd, 5)
        print(subprocess.run(["sh", "-c", f"cat <&{fd}; cat {D}/one-byte"], pass_fds=[fd], capture_output=True).stdout)
        print(subprocess.run([sys.executable, "-c", f"import os; print(os.pread({fd}, 4, 0), os.fstat({fd}).st_size)"], pass_fds=[fd], capture_output=True).stdout)
        print(subprocess.run(["sh", "-c", f"cat <&{fd}"], capture_output=True).returncode != 0)
    """),
    py("py-subprocess-pass-directory", """
        import subprocess
        fd = os.open(f"{D}/nested", os.O_RDONLY | os.O_DIRECTORY)
        child = f"import os; print(sorted(os.listdir({fd})), os.open('a.txt', os.O_RDONLY, dir_fd={fd}) > 0, os.fstat({fd}).st_mode)"
        print(subprocess.run([sys.executable, "-c", child], pass_fds=[fd], capture_output=True).stdout)
        print(subprocess.run(["ls", f"/dev/fd/{fd}/"], pass_fds=[fd], capture_output=True).stdout)
        print(subprocess.run(["find", f"/proc/self/fd/{fd}/", "-maxdepth", "1", "-name", "*.txt", "-printf", "%f %s\\n"], pass_fds=[fd], capture_output=True).stdout)
        print(subprocess.run([sys.executable, "-c", f"import os; os.fchdir({fd}); print(sorted(os.listdir('.')), open('a.txt').read())"], pass_fds=[fd], capture_output=True).stdout)
        print(subprocess.run([sys.executable, "-c", child], capture_output=True).returncode, sorted(os.listdir(fd)))
    """),
    py("py-directory-by-message", """
        import array, socket
        here, there = socket.socketpair()
        if os.fork() == 0:
            _, ancillary, _, _ = there.recvmsg(1, socket.CMSG_LEN(4))
            fd = array.array("i", ancillary[0][2])[0]
            print(sorted(os.listdir(fd)), os.stat("a.txt", dir_fd=fd).st_size, flush=True)
            os._exit(0)
        fd = os.open(f"{D}/nested", os.O_RDONLY | os.O_DIRECTORY)
        socket.send_fds(here, [b"x"], [fd])
        os.wait()
        print(sorted(os.listdir(fd)))
    """),
    py("py-posix-spawn", """
        fd = os.open(f"{D}/text/crlf.txt", os.O_RDONLY)
        sys.stdout.flush()
        os.waitpid(os.posix_spawn("/bin/cat", ["cat"], os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, fd, 0)]), 0)
        os.waitpid(os.posix_spawnp("cat", ["cat", f"{D}/one-byte"], os.environ), 0)
        print(os.system(f"cat {D}/one-byte >/dev/null"), os.popen(f"cat {D}/one-byte").read())
    """),
    py("py-exec", """
        os.chdir(f"{D}/nested")
        fd = os.open("a.txt", os.O_RDONLY)
        os.set_inheritable(fd, True)
        os.read(fd, 7)
        os.dup2(fd, 0)
        os.execv("/bin/sh", ["sh", "-c", "cat; pwd; cat a/leaf-a.txt"])
    """),
    py("py-asyncio-selectors-tempfile", """
        import asyncio, tempfile
        async def main():
            loop = asyncio.get_running_loop()
            data = await asyncio.gather(*[loop.run_in_executor(None, lambda n=n: open(f"{D}/many/file-{n:03d}.txt").read()) for n in range(40)])
            process = await asyncio.create_subprocess_exec("cat", f"{D}/text/crlf.txt", stdout=asyncio.subprocess.PIPE)
            print(len("".join(data)), (await process.communicate())[0])
        asyncio.run(main())
        with tempfile.TemporaryFile() as file:
            file.write(open(f"{D}/one-byte", "rb").read())
            print(file.tell())
    """),
    py("py-mimetypes-wave-and-friends", """
        import ast, email, http.server, plistlib, xml.etree.ElementTree
        print(ast.dump(ast.parse(open(f"{D}/code/script.py").read()))[:80])
        print(os.path.getsize(f"{D}/sizes/9MiB"), os.path.getmtime(f"{D}/empty") > 1e9, os.path.commonpath([f"{D}/a", f"{D}/b"]))
    """),
    py("py-http-server", """
        import functools, http.server, threading, urllib.request
        class Quiet(http.server.SimpleHTTPRequestHandler):
            def log_message(self, *ignored): pass
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=D))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        print(urllib.request.urlopen(f"{url}/text/crlf.txt").read(), len(urllib.request.urlopen(f"{url}/sizes/9MiB").read()))
        print(urllib.request.urlopen(f"{url}/nested/").read().count(b"<li>"))
    """),
    venv("numpy-load", """
        import numpy
        array = numpy.load(f"{D}/data/array.npy")
        print(array.shape, array.dtype, repr(float(array.sum())))
        view = numpy.load(f"{D}/data/array.npy", mmap_mode="r")
        print(repr(float(view[333].sum())), repr(float(view[::100, 7].sum())), (view == array).all())
        copy = numpy.load(f"{D}/data/array.npy", mmap_mode="c")
        copy[0, 0] = 42
        print(copy[0, 0], repr(float(view[0, 0])))
        arrays = numpy.load(f"{D}/data/arrays.npz")
        print({name: arrays[name].shape for name in sorted(arrays)})
    """),
    venv("numpy-fromfile-memmap", """
        import numpy
        whole = numpy.fromfile(f"{D}/data/array.raw", dtype="<f4")
        part = numpy.fromfile(f"{D}/data/array.raw", dtype="<f4", count=10, offset=4_000)
        print(whole.size, repr(float(whole.sum(dtype="f8"))), part.tolist() == whole[1000:1010].tolist())
        view = numpy.memmap(f"{D}/data/array.raw", dtype="<f4", mode="r", offset=12, shape=(100, 7))
        print((view.ravel() == whole[3:703]).all())
        with open(f"{D}/data/array.raw", "rb") as file:
            file.seek(400)
            print(numpy.fromfile(file, dtype="<f4", count=5).tolist() == whole[100:105].tolist(), file.tell())
        print(numpy.loadtxt(f"{D}/text/numbers.txt").sum(), numpy.genfromtxt(f"{D}/data/table.csv", delimiter=",", skip_header=1, usecols=(0, 2)).sum(axis=0).tolist())
    """),
    venv("safetensors", """
        import hashlib
        from safetensors import safe_open
        from safetensors.numpy import load_file
        with safe_open(f"{D}/data/model.safetensors", framework="numpy") as file:
            for name in sorted(file.keys()):
                print(name, hashlib.sha256(file.get_tensor(name).tobytes()).hexdigest())
            print(file.get_slice("weight")[10:20, 5:9].sum().item())
        print({name: tensor.shape for name, tensor in sorted(load_file(f"{D}/data/model.safetensors").items())})
    """),
]
