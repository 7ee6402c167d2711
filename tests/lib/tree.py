"""The seeded tree: the files that every "three worlds" test reads.

The same seed gives the same bytes. `make` writes it to a local directory, `upload` copies it
into a bucket, `freeze` gives the local copy the modes and times that a mapping shows.
"""

import csv
import gzip
import json
import lzma
import bz2
import os
import pickle
import random
import sqlite3
import subprocess
import tarfile
import textwrap
import zipfile

import numpy
from safetensors.numpy import save_file

import tree_formats

MIB = 1 << 20
SEED = 20240607
SIZES = {"4MiB": 4 * MIB, "4MiB-1": 4 * MIB - 1, "4MiB+1": 4 * MIB + 1, "9MiB": 9 * MIB,
         "64KiB": 65536, "4095": 4095, "12MiB-exact": 12 * MIB}
NAMES = ["with space", "plus+plus", "100%", "%41", "%2F", "hash#tag", "question?", "amp&and=equal",
         "gr\u00fc\u00dfe.txt", "cafe\u0301.txt", "caf\u00e9.txt", "\u65e5\u672c\u8a9e",
         "\U0001f600", "quo'te", 'dou"ble', "back\\slash", "semi;colon", "tilde~", "comma,",
         "at@", "colon:", "brackets[1]", "braces{1}", "*star", "$dollar", "(paren)", "<angle>",
         " leading", "trailing ", "-dash", ".hidden", "pipe|", "caret^", "back`tick", "a&amp;b",
         "two  spaces", "tab\tinside", "UPPER", "upper", "..twodots", "x" * 200]
WORDS = ("warm path block cursor origin peer store agent index object version mapping reader "
         "writer socket bucket prefix marker placeholder descriptor").split()


def make(root):
    """Writes the whole tree below `root`, which must not exist."""
    rng = random.Random(SEED)
    os.mkdir(root)
    for part in (_text, _sizes, _nested, _names, _many, _data, _archives, _code, _programs):
        part(root, rng)
    os.mkdir(os.path.join(root, "marker"))
    tree_formats.make(root, rng)


def upload(root, store, bucket, prefix):
    """Every file becomes an object, every empty directory a zero-byte `dir/` marker."""
    pairs = []
    for folder, folders, files in os.walk(root):
        below = os.path.relpath(folder, root)
        stem = prefix + "/" if below == "." else f"{prefix}/{below}/"
        if not folders and not files:
            pairs.append((stem, b""))
        pairs += [(stem + name, os.path.join(folder, name)) for name in files]
    pairs.append((f"{prefix}/nested/", b""))    # a marker beside real content
    store.put_all(bucket, pairs)


def freeze(root, times):
    """Modes and times as a mapping shows them: r-xr-xr-x for all, S3's Last-Modified."""
    for folder, _, files in os.walk(root, topdown=False):
        for name in files:
            path = os.path.join(folder, name)
            stamp = times[os.path.relpath(path, root)]
            os.utime(path, (stamp, stamp))
            os.chmod(path, 0o555)
        os.chmod(folder, 0o555)


def write(root, path, data):
    full = os.path.join(root, path)
    os.makedirs(os.path.dirname(full), exist_ok=True)
    with open(full, "wb") as file:
        file.write(data if isinstance(data, bytes) else data.encode())


def lines(rng, count):
    return [" ".join(rng.choice(WORDS) for _ in range(rng.randint(1, 12))) for _ in range(count)]


def _text(root, rng):
    alpha = lines(rng, 3000)
    beta = list(alpha)
    for index in rng.sample(range(len(beta)), 20):
        beta[index] = "changed " + beta[index]
    write(root, "text/alpha.txt", "\n".join(alpha) + "\n")
    write(root, "text/beta.txt", "\n".join(beta) + "\n")
    for name in ("left", "right"):
        keys = sorted(f"{key:04d}" for key in rng.sample(range(2000), 700))
        write(root, f"text/{name}.sorted", "".join(f"{key} {rng.choice(WORDS)}\n" for key in keys))
    write(root, "text/numbers.txt", "".join(f"{rng.randint(-999, 999)}\n" for _ in range(5000)))
    write(root, "text/crlf.txt", "one\r\ntwo\r\nthree\r\n")
    write(root, "text/no-newline.txt", "the last line has no newline")
    write(root, "text/utf8.txt", "gr\u00fc\u00dfe aus \u6771\u4eac \U0001f600\n" * 50)
    write(root, "text/long-line.txt", "x" * 300_000 + "\n" + "end\n")
    write(root, "text/files.list", "text/alpha.txt\ntext/crlf.txt\none-byte\n")


def _sizes(root, rng):
    write(root, "empty", b"")
    write(root, "one-byte", b"1")
    for name, size in SIZES.items():
        write(root, f"sizes/{name}", rng.randbytes(size))


def _nested(root, rng):
    path = "nested"
    for name in "abcdefgh":
        path += "/" + name
        write(root, f"{path}/leaf-{name}.txt", f"leaf {name} {rng.random()}\n")
    write(root, "nested/a.txt", "beside the directory a, sorts between a and a/\n")
    write(root, "nested/a-b/leaf.txt", "prefix sibling\n")


def _names(root, rng):
    for name in NAMES:
        write(root, f"names/{name}", f"content of {name} {rng.random()}\n")
    write(root, "names/dir with space+plus/100%/\u00fcber#1", "below awkward directories\n")


def _many(root, rng):
    for number in range(300):
        write(root, f"many/file-{number:03d}.txt", f"{number} {rng.choice(WORDS)}\n")
    for number in range(1100):      # more than one page of a listing
        write(root, f"pages/{number:04d}", str(number))


def _data(root, rng):
    with open(os.path.join(root, "table.csv"), "w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["id", "word", "value"])
        table.writerows([n, rng.choice(WORDS), f"{rng.random():.6f}"] for n in range(2000))
    os.makedirs(os.path.join(root, "data"))
    os.rename(os.path.join(root, "table.csv"), os.path.join(root, "data/table.csv"))
    document = {"name": "tree", "items": [{"n": n, "word": rng.choice(WORDS)} for n in range(500)]}
    write(root, "data/document.json", json.dumps(document, indent=1))
    write(root, "data/values.pickle", pickle.dumps([rng.random() for _ in range(1000)]))
    write(root, "data/settings.ini", "[store]\nsize = 200G\n[agent]\nidle = 60\n")
    _database(os.path.join(root, "data/words.sqlite"), rng)
    array = numpy.random.default_rng(SEED).standard_normal((700, 1000))
    numpy.save(os.path.join(root, "data/array.npy"), array)
    array.astype("<f4").tofile(os.path.join(root, "data/array.raw"))
    numpy.savez(os.path.join(root, "data/arrays.npz"), first=array[:10], second=array[10:30])
    save_file({"weight": array.astype("float32"), "bias": array[0].copy()},
              os.path.join(root, "data/model.safetensors"))


def _database(path, rng):
    database = sqlite3.connect(path)
    database.execute("create table words (id integer primary key, word text, value real)")
    database.executemany("insert into words values (?, ?, ?)",
                         [(n, rng.choice(WORDS), rng.random()) for n in range(20000)])
    database.execute("create index by_word on words (word)")
    database.commit()
    database.close()


def _archives(root, rng):
    notes = "\n".join(lines(rng, 4000)).encode()
    write(root, "archives/notes.gz", gzip.compress(notes, mtime=0))
    write(root, "archives/notes.xz", lzma.compress(notes))
    write(root, "archives/notes.bz2", bz2.compress(notes))
    for name, mode in (("bundle.tar", "w"), ("bundle.tar.gz", "w:gz")):
        with tarfile.open(os.path.join(root, "archives", name), mode) as archive:
            for part in ("text", "nested", "sizes/64KiB"):
                archive.add(os.path.join(root, part), part, filter=_plain_member)
    with zipfile.ZipFile(os.path.join(root, "archives/bundle.zip"), "w", zipfile.ZIP_DEFLATED) as archive:
        for part in ("text/alpha.txt", "text/beta.txt", "sizes/64KiB", "empty"):
            archive.write(os.path.join(root, part), part)


def _plain_member(member):
    member.uid = member.gid = member.mtime = 0
    member.uname = member.gname = "root"
    return member


def _code(root, _rng):
    write(root, "code/script.sh", 'echo "script $# $1"\nwc -c < "$D/one-byte"\n')
    write(root, "code/library.sh", 'greet() { echo "hello $1"; }\n')
    write(root, "code/script.py", "import os, sys\nprint('script', len(sys.argv), os.path.basename(sys.path[0]))\n")
    write(root, "code/hello.c", '#include "hello.h"\n#include <stdio.h>\nint main(void) { puts(HELLO); return 0; }\n')
    write(root, "code/include/hello.h", '#define HELLO "hello"\n')
    write(root, "code/Makefile", "include $(D)/code/rules.mk\nall: ; @echo made $(WHAT) $(notdir $(sort $(wildcard $(D)/code/*.py)))\n")
    write(root, "code/rules.mk", "WHAT = thing\n")
    write(root, "code/hello.awk", "{ count[$1]++ } END { for (word in count) print word, count[word] }\n")
    write(root, "code/prog.sed", "s/warm/cold/g\n")
    write(root, "code/fix.patch", "--- a\n+++ b\n@@ -1 +1 @@\n-1\n\\ No newline at end of file\n+2\n\\ No newline at end of file\n")
    package = {
        "__init__.py": '"""A package in the mapping."""\nfrom .circle import area\n__all__ = ["area"]\n',
        "circle.py": "import math\n\ndef area(radius):\n    return round(math.pi * radius ** 2, 6)\n",
        "solid/__init__.py": "",
        "solid/cube.py": "def volume(edge):\n    return edge ** 3\n",
        "words.txt": "a resource of the package\n",
        "__main__.py": "import shapes\nprint('main', shapes.area(2))\n",
    }
    for name, text in package.items():
        write(root, f"code/pkg/shapes/{name}", textwrap.dedent(text))
    with zipfile.ZipFile(os.path.join(root, "code/app.zip"), "w") as archive:
        archive.writestr("__main__.py", "print('from a zip')\n")
    subprocess.run(["gcc", "-c", "-I", os.path.join(root, "code/include"), "-o",
                    os.path.join(root, "code/hello.o"), os.path.join(root, "code/hello.c")], check=True)
    subprocess.run(["ar", "rcsD", os.path.join(root, "code/libhello.a"),
                    os.path.join(root, "code/hello.o")], check=True)


PROGRAMS = {
    "libname.so": "int name(void) { return 17; }",
    "libdeep.so": "int deep(void) { return 25; }",
    "libreader.so": """
        #include <fcntl.h>
        #include <unistd.h>
        int reader(const char *path)
        {
            char text[100];
            int fd = open(path, O_RDONLY), n = fd < 0 ? -1 : (int)read(fd, text, sizeof(text));
            close(fd);
            return n;
        }""",
    "libouter.so": "int deep(void); int outer(void) { return deep() + 1; }",
    "show": """
        #include <stdio.h>
        #include <unistd.h>
        int outer(void);
        int main(int argc, char **argv)
        {
            char link[4096] = "";
            readlink("/proc/self/exe", link, sizeof(link) - 1);
            printf("show from %s, outer %d:", link, outer());
            for (int i = 1; i < argc; i++)
                printf(" <%s>", argv[i]);
            puts("");
            return 3;
        }""",
    "stray": "#include <stdio.h>\nint deep(void); int main(void) { return !printf(\"stray %d\\n\", deep()); }",
    "load": """
        #include <dlfcn.h>
        #include <stdio.h>
        int main(int argc, char **argv)
        {
            for (int i = 1; i < argc; i++)
                printf("%s\\n", dlopen(argv[i], RTLD_NOW) ? "loaded" : dlerror());
            return 0;
        }""",
}


def _programs(root, _rng):
    """Programs, scripts and libraries that find each other by $ORIGIN."""
    write(root, "bin/script", '#!/bin/sh -e\necho "script $0 $# $1"\n')
    write(root, "bin/unmarked", 'echo "unmarked $0 $# $1"\n')
    write(root, "bin/interpreted", "#!/mapped/tree/bin/show one two\n")
    os.makedirs(os.path.join(root, "lib/deep"))
    build = lambda name, *flags: subprocess.run(
        ["gcc", "-x", "c", "-", "-x", "none", "-o", os.path.join(root, name), *flags], check=True, cwd=root,
        input=PROGRAMS[os.path.basename(name)].encode())
    build("lib/libname.so", "-shared", "-fPIC")
    build("lib/libreader.so", "-shared", "-fPIC", "-Wl,-z,lazy")
    build("lib/deep/libreader.so", "-shared", "-fPIC", "-Wl,-z,now,-z,relro")
    build("lib/deep/libdeep.so", "-shared", "-fPIC", "-Wl,-soname,libdeep.so")
    build("lib/libouter.so", "-shared", "-fPIC", "-Llib/deep", "-ldeep", "-Wl,-rpath,$ORIGIN/deep")
    build("bin/show", "-Llib", "-louter", "-Wl,-rpath,$ORIGIN/../lib", "-Wl,-rpath-link,lib/deep")
    build("bin/stray", "-Llib/deep", "-ldeep")
    build("bin/load", "-Wl,-rpath,$ORIGIN/../lib")
