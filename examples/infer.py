"""Offline batch inference: what kind of content is in each file of a tree?

    python infer.py --model DIR --input DIR --output RESULTS.jsonl [--workers N]

Every file under the input is read, classified with the ONNX model in --model (the magika
package's), and written as one JSON line, in the order of the names. An ordinary program: it
opens paths and knows nothing of where they are kept.
"""

import argparse
import hashlib
import json
import multiprocessing
import os
import pathlib
import sys

import magika

READ_BYTES = 1 << 20

classifier = None  # one in each worker process


def load_model(model_dir):
    global classifier
    classifier = magika.Magika(model_dir=pathlib.Path(model_dir))


def files_under(root):
    """Paths of all files under root, relative to it, in the order of their names."""
    found = []
    for folder, _, names in os.walk(root, onerror=stop):
        found += [os.path.relpath(os.path.join(folder, name), root) for name in names]
    return sorted(found)


def stop(error):
    raise error


def classify(job):
    root, name = job
    path = os.path.join(root, name)
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while piece := file.read(READ_BYTES):
            digest.update(piece)
        file.seek(0)
        result = classifier.identify_stream(file)
    return {
        "file": name,
        "label": str(result.output.label),
        "score": round(result.score, 4),
        "size": os.path.getsize(path),
        "sha256": digest.hexdigest(),
    }


def main():
    parser = argparse.ArgumentParser(description="Classify every file of a tree by its content.")
    parser.add_argument("--model", required=True, help="folder with model.onnx and its config")
    parser.add_argument("--input", required=True, help="folder whose files are classified")
    parser.add_argument("--output", required=True, help="file that the results are written to")
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="worker processes")
    options = parser.parse_args()

    names = files_under(options.input)
    jobs = [(options.input, name) for name in names]
    with (
        open(options.output, "w", encoding="utf-8") as output,
        multiprocessing.Pool(options.workers, load_model, (options.model,)) as workers,
    ):
        for result in workers.imap(classify, jobs, chunksize=8):
            output.write(json.dumps(result, sort_keys=True) + "\n")
    print(f"{len(names)} files classified by {options.workers} workers")
    return 0 if names else 1


if __name__ == "__main__":
    sys.exit(main())
