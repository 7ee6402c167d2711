"""Checksums of all tensors in a safetensors file.

    python checksum_tensors.py FILE --output SUMS

The safetensors package maps the file into memory; each tensor's bytes are hashed as they
come, then all hashes together. An ordinary program: it knows nothing of where FILE is kept.
"""

import argparse
import hashlib

import safetensors


def main():
    parser = argparse.ArgumentParser(description="Checksums of all tensors in a file.")
    parser.add_argument("file", help="a safetensors file")
    parser.add_argument("--output", required=True, help="file that the checksums are written to")
    options = parser.parse_args()

    total = hashlib.sha256()
    with (
        safetensors.safe_open(options.file, framework="numpy") as file,
        open(options.output, "w", encoding="utf-8") as output,
    ):
        for name in sorted(file.keys()):
            tensor = file.get_tensor(name)
            digest = hashlib.sha256(memoryview(tensor).cast("B")).hexdigest()
            line = f"{digest}  {name} {tensor.dtype} {tensor.shape}\n"
            total.update(line.encode())
            output.write(line)
        output.write(f"{total.hexdigest()}  total\n")
    print(f"{total.hexdigest()}  total")


if __name__ == "__main__":
    main()
