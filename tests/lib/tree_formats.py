"""The part of the seeded tree that real programs make: a repository, tables, pictures, sound, classes.

Made anew for each run by the programs' own writers, small on purpose. What they write need not be the
same bytes on every machine: each run uploads what it made.
"""

import glob
import os
import shutil
import struct
import subprocess
import wave

import h5py
import lmdb
import numpy
import pyarrow
import pyarrow.dataset
import pyarrow.feather
import pyarrow.parquet
import tokenizers
from PIL import Image, ImageDraw

SOURCES = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "programs", "src")
QUIET = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}


def make(root, rng):
    for part in (_repository, _tables, _store, _tokens, _model, _pictures, _sound, _documents, _scripts, _java, _packed):
        part(root, rng)


def run(*words, cwd=None, **env):
    path = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "LC_ALL": "C.UTF-8"}
    subprocess.run(words, cwd=cwd, env=path | env, check=True, **QUIET)


def write(root, path, text):
    full = os.path.join(root, path)
    os.makedirs(os.path.dirname(full), exist_ok=True)
    with open(full, "w") as file:
        file.write(text)


def _repository(root, rng):
    """code/checkout, a checkout with packed and loose objects and a tag, and code/repo.git, its bare clone."""
    work = os.path.join(root, "code/checkout")
    os.makedirs(work)

    def git(*words, when=0):
        stamp = f"{1700000000 + when} +0000"
        run("git", "-c", "init.defaultBranch=main", "-c", "commit.gpgSign=false", *words, cwd=work,
            GIT_AUTHOR_NAME="A", GIT_AUTHOR_EMAIL="a@example.org", GIT_AUTHOR_DATE=stamp, GIT_CONFIG_NOSYSTEM="1",
            GIT_COMMITTER_NAME="C", GIT_COMMITTER_EMAIL="c@example.org", GIT_COMMITTER_DATE=stamp)

    git("init", "-q", "--template=")
    text = [f"line {number} {rng.random()}" for number in range(200)]
    for number in range(12):
        text[rng.randrange(200)] = f"changed in {number}"
        write(work, "notes.txt", "\n".join(text) + "\n")
        write(work, f"part/{number % 4}.txt", f"{number} {rng.random()}\n")
        git("add", "-A")
        git("commit", "-q", "-m", f"Change {number}", when=number * 1000)
        if number == 8:
            git("gc", "-q")
    git("tag", "-a", "-m", "the first", "v1", "HEAD~3", when=13000)
    git("branch", "side", "HEAD~5")
    run("git", "clone", "-q", "--bare", "--no-hardlinks", "--template=", work, os.path.join(root, "code/repo.git"))


def _tables(root, _rng):
    random = numpy.random.default_rng(7)
    data = os.path.join(root, "data")
    table = pyarrow.table({"id": pyarrow.array(range(20000)), "value": random.standard_normal(20000),
                           "word": [f"word-{n % 37}" for n in range(20000)]})
    pyarrow.parquet.write_table(table, f"{data}/table.parquet", row_group_size=3000)
    pyarrow.feather.write_feather(table, f"{data}/table.arrow", compression="uncompressed")
    pyarrow.dataset.write_dataset(table.slice(0, 4000), f"{data}/dataset", format="parquet", partitioning=["word"],
                                  max_partitions=64, basename_template="part-{i}.parquet")
    with h5py.File(f"{data}/arrays.h5", "w") as file:
        file["plain"] = random.standard_normal((300, 400))
        file.create_dataset("chunked", data=numpy.arange(200000).reshape(400, 500), chunks=(50, 60), compression="gzip")
        group = file.create_group("deep/er")
        group["names"] = [f"name {n}" for n in range(50)]
        group.attrs["unit"] = "m/s"


def _store(root, _rng):
    path = os.path.join(root, "data/store.lmdb")
    with lmdb.open(path, map_size=1 << 21) as store, store.begin(write=True) as transaction:
        for number in range(3000):
            transaction.put(b"key-%05d" % number, b"value %d" % (number * number))
    os.remove(os.path.join(path, "lock.mdb"))


def _tokens(root, _rng):
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE(unk_token="?"))
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    trainer = tokenizers.trainers.BpeTrainer(vocab_size=300, special_tokens=["?"], show_progress=False)
    tokenizer.train([os.path.join(root, "text/alpha.txt")], trainer)
    tokenizer.save(os.path.join(root, "data/tokenizer.json"))


def _model(root, _rng):
    import magika
    found = glob.glob(os.path.join(os.path.dirname(magika.__file__), "models/*/model.onnx"))
    shutil.copyfile(sorted(found)[-1], os.path.join(root, "data/model.onnx"))


def _pictures(root, rng):
    folder = os.path.join(root, "media")
    os.makedirs(folder)
    picture = Image.effect_noise((320, 200), 60).convert("RGB")
    draw = ImageDraw.Draw(picture)
    for _ in range(20):
        draw.ellipse([rng.randrange(300), rng.randrange(180), 310, 190], outline=tuple(rng.randbytes(3)))
    for name in ("picture.png", "picture.jpg", "picture.bmp", "picture.gif", "picture.webp"):
        picture.save(os.path.join(folder, name))
    picture.save(os.path.join(folder, "pages.tif"), save_all=True, append_images=[picture.rotate(90), picture.rotate(180)])


def _sound(root, _rng):
    seconds = numpy.arange(2 * 22050) / 22050
    samples = (numpy.sin(seconds * 440 * 6.283) * 20000).astype("<i2")
    with wave.open(os.path.join(root, "media/tone.wav"), "wb") as file:
        file.setparams((1, 2, 22050, len(samples), "NONE", ""))
        file.writeframes(samples.tobytes())
    with open(os.path.join(root, "media/tone.au"), "wb") as file:
        file.write(struct.pack(">4s5I", b".snd", 24, len(samples) * 2, 3, 22050, 1) + samples.astype(">i2").tobytes())


def _documents(root, rng):
    items = "".join(f'<item n="{n}"><name>{rng.random():.6f}</name></item>\n' for n in range(300))
    write(root, "data/items.dtd", "<!ELEMENT items (item*)><!ELEMENT item (name)><!ATTLIST item n CDATA #REQUIRED>"
                                  "<!ELEMENT name (#PCDATA)><!ENTITY org 'warm'>\n")
    write(root, "data/items.xml", f'<?xml version="1.0"?>\n<!DOCTYPE items SYSTEM "items.dtd">\n<items>\n{items}</items>\n')
    write(root, "data/all.xml", '<all xmlns:xi="http://www.w3.org/2001/XInclude"><xi:include href="items.xml"/></all>\n')
    write(root, "data/records.sam", "@HD\tVN:1.6\tSO:coordinate\n@SQ\tSN:one\tLN:100000\n" + "".join(
        f"read{n}\t0\tone\t{n * 10 + 1}\t60\t10M\t*\t0\t0\t{''.join(rng.choice('ACGT') for _ in range(10))}\tIIIIIIIIII\n"
        for n in range(500)))
    run("samtools", "view", "-b", "-o", "records.bam", "records.sam", cwd=os.path.join(root, "data"))
    run("samtools", "index", "records.bam", cwd=os.path.join(root, "data"))
    write(root, "data/genome.fa", ">one\n" + "".join("".join(rng.choice("ACGT") for _ in range(60)) + "\n" for _ in range(400)))
    run("samtools", "faidx", "genome.fa", cwd=os.path.join(root, "data"))


def _scripts(root, _rng):
    """Modules that other modules load, in the languages that look for them by path."""
    write(root, "code/js/main.js", "const { area } = require('./shapes'); console.log(area(2), require('./shapes/data.json').n)\n")
    write(root, "code/js/shapes/index.js", "exports.area = r => r * r * 3\n")
    write(root, "code/js/shapes/data.json", '{"n": 7}\n')
    write(root, "code/js/main.mjs", "import { twice } from './twice.mjs'\nconsole.log(twice(4), import.meta.url.slice(-8))\n"
                                    "console.log((await import('./twice.mjs')).twice(5))\n")
    write(root, "code/js/twice.mjs", "export const twice = n => 2 * n\n")
    write(root, "code/js/node_modules/dep/package.json", '{"name": "dep", "version": "1.0.0", "main": "lib.js"}\n')
    write(root, "code/js/node_modules/dep/lib.js", "module.exports = 'a dependency'\n")
    write(root, "code/js/uses-dep.js", "console.log(require('dep'), require.resolve('dep').endsWith('lib.js'))\n")
    write(root, "code/ruby/shape.rb", "require_relative 'deep/cube'\nmodule Shape\n  def self.area(r) = r * r * 3\nend\n")
    write(root, "code/ruby/deep/cube.rb", "def cube(n) = n ** 3\n")
    write(root, "code/perl/Shape.pm", "package Shape;\nsub area { return $_[0] ** 2 * 3 }\n1;\n__DATA__\nrest of the module\n")
    write(root, "code/php/shape.php", "<?php\nfunction area($r) { return $r * $r * 3; }\nreturn ['unit' => 'm'];\n")
    write(root, "code/lua/shape.lua", "return { area = function(r) return r * r * 3 end }\n")
    write(root, "code/tcl/shape.tcl", "proc area {r} { return [expr {$r * $r * 3}] }\n")
    write(root, "code/m4/defs.m4", "define(`area', `eval($1 * $1 * 3)')dnl\n")
    write(root, "code/cpp/shape.hpp", "#pragma once\n#include \"deep/cube.hpp\"\ninline int area(int r) { return r * r * 3; }\n")
    write(root, "code/cpp/deep/cube.hpp", "#pragma once\nconstexpr int cube(int n) { return n * n * n; }\n")
    write(root, "code/cpp/main.cpp", "#include <iostream>\n#include \"shape.hpp\"\nint main() { std::cout << area(2) << ' ' << cube(3) << '\\n'; }\n")
    write(root, "code/cpp/CMakeLists.txt", "cmake_minimum_required(VERSION 3.10)\nproject(shape CXX)\ninclude(extra.cmake)\n"
                                           "add_executable(shape main.cpp)\n")
    write(root, "code/cpp/extra.cmake", "file(GLOB HEADERS ${CMAKE_CURRENT_SOURCE_DIR}/*.hpp deep/*.hpp)\nlist(LENGTH HEADERS N)\n"
                                        "message(STATUS \"headers: ${N}\")\n")


def _java(root, _rng):
    folder = os.path.join(root, "code/java")
    os.makedirs(folder)
    for name in ("Reader.java", "Channels.java"):
        shutil.copyfile(os.path.join(SOURCES, name), os.path.join(folder, name))
    run("javac", "-d", folder, "Reader.java", "Channels.java", cwd=folder)
    write(root, "code/java/words.properties", "greeting = from the class path\n")
    write(root, "code/java/manifest", "Main-Class: Reader\n")
    names = sorted(name for name in os.listdir(folder) if name.endswith((".class", ".properties")))
    run("jar", "cfm", "reader.jar", "manifest", *names, cwd=folder)


def _packed(root, _rng):
    folder = os.path.join(root, "archives")
    notes = os.path.join(root, "text/alpha.txt")
    run("zstd", "-q", notes, "-o", os.path.join(folder, "alpha.zst"))
    run("lz4", "-q", notes, os.path.join(folder, "alpha.lz4"))
    run("brotli", "-o", os.path.join(folder, "alpha.br"), notes)
    run("7zz", "a", "-bd", os.path.join(folder, "bundle.7z"), "text/alpha.txt", "nested", cwd=root)
