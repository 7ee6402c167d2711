"""Lays out the demo's data in a folder, all of it from this machine.

    python make_data.py FOLDER

    FOLDER/corpus/   real files of many kinds and sizes: documentation, headers, Python
                     sources, programs, libraries, images, fonts
    FOLDER/models/   the trained ONNX model that ships inside the magika package
    FOLDER/tensors/  one safetensors file of more than 1 GiB, from a fixed seed

The same machine always gives the same data.
"""

import os
import pathlib
import shutil
import sys
import sysconfig

import magika
import numpy
import safetensors.numpy

FILES_MIN = 2000
FILES_WANTED = 2400
FILE_BYTES_MAX = 16 << 20
CORPUS_BYTES_MAX = 300 << 20

PACKAGES = sysconfig.get_paths()["purelib"]

# Where files come from, under which name they go, how many and how many bytes are wanted.
SOURCES = [
    ("/usr/share/doc", "doc", 600, 30 << 20),
    ("/usr/include", "include", 500, 20 << 20),
    ("/usr/lib/python3", "dist-packages", 200, 20 << 20),
    ("/usr/bin", "bin", 120, 90 << 20),
    (f"/usr/lib/{sysconfig.get_config_var('MULTIARCH')}", "lib", 120, 60 << 20),
    ("/usr/share/perl", "perl", 100, 10 << 20),
    ("/usr/share/fonts", "fonts", 30, 10 << 20),
    (PACKAGES, "site-packages", 730, 60 << 20),
]

TENSOR_SEED = 2026
LAYERS = 20
WIDTH = 2048


def regular_files(root):
    """Files under root, in the order of their names; no links, no names that S3 can't have."""
    found = []
    for folder, _, names in os.walk(root):
        for name in names:
            path = os.path.join(folder, name)
            if os.path.isfile(path) and not os.path.islink(path) and os.access(path, os.R_OK):
                found.append(path)
    return sorted(path for path in found
                  if path.isprintable() and "__pycache__" not in path
                  and os.path.getsize(path) <= FILE_BYTES_MAX)


def spread(items, count):
    """About `count` of the items, evenly from first to last."""
    step = max(1.0, len(items) / count)
    return [items[int(i * step)] for i in range(int(len(items) / step))]


def choose():
    """(path, name in the corpus) of every file to take."""
    chosen, left, total = [], [], 0
    for root, label, count, budget in SOURCES:
        files = regular_files(root)
        taken, taken_bytes = set(), 0
        for path in spread(files, count):
            size = os.path.getsize(path)
            if taken_bytes + size <= budget:
                taken.add(path)
                taken_bytes += size
        total += taken_bytes
        pairs = [(path, f"{label}/{os.path.relpath(path, root)}") for path in files]
        chosen += [pair for pair in pairs if pair[0] in taken]
        left += [pair for pair in pairs if pair[0] not in taken]

    # A small machine lacks some of the sources: fill up from what the others still have.
    for path, name in left:
        size = os.path.getsize(path)
        if len(chosen) >= FILES_WANTED:
            break
        if total + size <= CORPUS_BYTES_MAX:
            chosen.append((path, name))
            total += size
    return chosen, total


def make_corpus(folder):
    chosen, total = choose()
    if len(chosen) < FILES_MIN:
        sys.exit(f"make_data.py: only {len(chosen)} files on this machine, {FILES_MIN} are "
                 "needed; install some documentation or headers (scripts/deps)")
    for path, name in chosen:
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    print(f"{len(chosen)} files, {total / 1e6:.0f} MB")


def copy_models(folder):
    shutil.copytree(pathlib.Path(magika.__file__).parent / "models", folder)
    for model in sorted(folder.iterdir()):
        print(f"model {model.name}")


def make_tensors(path):
    """A model's worth of weights: a few large matrices a layer and some small vectors."""
    random = numpy.random.default_rng(TENSOR_SEED)
    tensors = {"embedding.ids": random.integers(0, 1 << 40, 10_000, dtype=numpy.int64)}
    for layer in range(LAYERS):
        for part in ("query", "key", "value"):
            weight = random.standard_normal((WIDTH, WIDTH), dtype=numpy.float32)
            tensors[f"layer.{layer}.{part}.weight"] = weight
            tensors[f"layer.{layer}.{part}.bias"] = random.standard_normal(WIDTH, numpy.float32)
        wide = random.standard_normal((WIDTH, WIDTH), dtype=numpy.float32)
        tensors[f"layer.{layer}.output.weight"] = wide.astype(numpy.float16)
    path.parent.mkdir(parents=True)
    safetensors.numpy.save_file(tensors, path)
    print(f"{len(tensors)} tensors, {path.stat().st_size / (1 << 30):.2f} GiB")


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: make_data.py FOLDER")
    folder = pathlib.Path(sys.argv[1])
    make_corpus(folder / "corpus")
    copy_models(folder / "models")
    make_tensors(folder / "tensors/weights.safetensors")


if __name__ == "__main__":
    main()
