"""Files that announce their parts: what a jump to one brings (safetensors, GGUF, npz)."""

import hashlib
import json
import os
import struct
import zipfile

import gguf
import numpy

import check
import job
from hints import MIB, Hints
from scene import content

PART, PARTS = 2 * MIB + 400_000, 16
BLOCK = MIB


def model(header=None):
    """A safetensors file and where its tensors begin."""
    tensors = {f"t{i:02}": {"dtype": "U8", "shape": [PART], "data_offsets": [i * PART, (i + 1) * PART]} for i in range(PARTS)}
    text = header or json.dumps({"__metadata__": {"format": "pt"}, **tensors}).encode()
    head = struct.pack("<Q", len(text)) + text
    return head + content("model", PARTS * PART), [len(head) + i * PART for i in range(PARTS)]


def blocks(begin, end):
    """The whole blocks around these bytes."""
    return begin // BLOCK * BLOCK, -(-end // BLOCK) * BLOCK


def run(bed, name, words, header=None):
    """What the program fetched of a model, without its first block, as one range; what it read must be right."""
    data, starts = model(header)
    with Hints(bed, name, WARMPATH_BLOCK_SIZE=str(BLOCK), WARMPATH_MMAP="1M") as h:
        key = h.s.put("model.safetensors", data)
        h.run(key, *words(starts))
        fetched = [r for r in h.fetched(key) if r[0] >= BLOCK]
        h.s.right(h.s.read("cat", h.s.path(key)), key)
        size = sum(to + 1 - begin for begin, to in fetched)
        return (fetched[0][0], fetched[-1][1] + 1) if fetched else None, size, starts


def case_tensor_by_read(bed):
    """Its beginning is read: all of it comes, and no more than its blocks."""
    came, size, starts = run(bed, "tensorread", lambda starts: ("read", 0, 4096, "read", starts[5], 65536))
    check.equal("came", came, blocks(starts[5], starts[6]))
    check.equal("bytes", size, came[1] - came[0])


def case_tensor_by_touch(bed):
    came, size, starts = run(bed, "tensortouch", lambda starts: ("map", 0, "touch", 0, 4096, "touch", starts[9], PART))
    check.equal("came", came, blocks(starts[9], starts[10]))
    check.equal("bytes", size, came[1] - came[0])


def case_tensors_in_order_are_read_ahead(bed):
    came, _, starts = run(bed, "tensororder", lambda starts: ("map", 0, "touch", 0, starts[3]))
    check.that(came[1] >= starts[3] + 4 * BLOCK, f"{came[1]} with {starts[3]} touched")


def case_tensors_in_another_order_bring_the_rest(bed):
    """Jumps to a quarter of the file."""
    few = lambda starts: [word for i in (9, 2, 12) for word in ("read", starts[i], 4096)]
    _, size, _ = run(bed, "tensorfew", few)
    check.that(size <= 3 * (PART + 2 * BLOCK), f"{size} bytes for three tensors")
    _, size, starts = run(bed, "tensorsweep", lambda starts: [*few(starts), "read", starts[6], 4096, "read", starts[14], 4096])
    check.that(size >= starts[-1] + PART - BLOCK, f"{size} bytes")


def case_no_model_is_read_as_any_file(bed):
    """A name that promises what the content doesn't keep."""
    for header in (b'{"a":', b'{"a":{"data_offsets":[0,99999999999]}}', b"[" * 5000):
        came, size, starts = run(bed, "nomodel", lambda starts: ("read", 0, 4096, "read", starts[5], 4096), header)
        check.equal("bytes", size, 16384)


# GGUF, as its own library writes and reads it: by touches of a map

TENSORS = """
import hashlib, sys
from gguf import GGUFReader
tensors = {tensor.name: tensor for tensor in GGUFReader(sys.argv[1]).tensors}
for name in sys.argv[2:]:
    print(name, hashlib.sha256(tensors[name].data.tobytes()).hexdigest())
"""


def gguf_model(path, words):
    """A GGUF file with so many words; where its tensors begin, and each one's hash."""
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_token_list([f"{i:0200}" for i in range(words)])
    writer.add_token_types([1] * words)
    for i in range(PARTS):
        writer.add_tensor(f"t{i:02}", numpy.frombuffer(content(f"gguf {i}", PART), dtype=numpy.uint8), raw_dtype=gguf.GGMLQuantizationType.I8)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    tensors = gguf.GGUFReader(path).tensors
    return [int(t.data_offset) for t in tensors], [hashlib.sha256(t.data.tobytes()).hexdigest() for t in tensors]


def run_gguf(bed, name, words, wanted, block=BLOCK):
    """What the reader of these tensors fetched of the object, in ranges; where the tensors begin."""
    with Hints(bed, name, WARMPATH_BLOCK_SIZE=str(block), WARMPATH_MMAP="1M") as h:
        path = os.path.join(h.s.node.dir, "model.gguf")
        starts, hashes = gguf_model(path, words)
        with open(path, "rb") as file:
            key = h.s.put("model.gguf", file.read())
        os.remove(path)
        done = job.run([bed.venv_python, "-c", TENSORS, h.s.path(key), *(f"t{i:02}" for i in wanted)], h.s.env())
        check.equal("tensors", done.text, "".join(f"t{i:02} {hashes[i]}\n" for i in wanted), done.errors)
        return h.fetched(key), starts


def inside(fetched, begin, end):
    """How many of these bytes were fetched."""
    return sum(max(0, min(to + 1, end) - max(first, begin)) for first, to in fetched)


def case_gguf_tensor(bed):
    """A header of one block, and of several: the tensor comes at once, and nothing behind it."""
    for words in (100, 20_000):
        fetched, starts = run_gguf(bed, "gguf", words, [11])
        begin, end = blocks(starts[11], starts[12])
        check.equal("bytes of the tensor", inside(fetched, begin, end), end - begin)
        check.equal("bytes behind it", inside(fetched, end, 1 << 40), 0)
        check.equal("bytes between header and it", inside(fetched, starts[4], begin), 0)
        check.that(len([r for r in fetched if r[0] >= begin]) <= 4, f"{fetched}")


def case_gguf_tensors_in_another_order_bring_the_rest(bed):
    few = [9, 2, 12]
    fetched, starts = run_gguf(bed, "gguffew", 20_000, few)
    check.equal("bytes of t15", inside(fetched, starts[15], starts[15] + PART), 0)
    fetched, starts = run_gguf(bed, "ggufsweep", 20_000, [*few, 6, 14])
    check.equal("bytes of t15", inside(fetched, starts[15], starts[15] + PART), PART)


def case_gguf_of_many_small_blocks(bed):
    """The header lies in some seventy blocks."""
    fetched, starts = run_gguf(bed, "ggufsmall", 20_000, [5], block=65536)
    begin, end = starts[5] // 65536 * 65536, -(-starts[6] // 65536) * 65536
    check.equal("bytes of the tensor", inside(fetched, begin, end), end - begin)
    check.equal("bytes behind it", inside(fetched, end, 1 << 40), 0)


# npz, as numpy writes and reads it: the end first, then members by seeks

MEMBERS = """
import hashlib, sys
import numpy
with numpy.load(sys.argv[1]) as file:
    for name in sys.argv[2:]:
        print(name, hashlib.sha256(file[name].tobytes()).hexdigest())
"""


def run_npz(bed, name, wanted, save=numpy.savez):
    """What the reader of these members fetched of the object, in ranges; where the members begin, and its length."""
    with Hints(bed, name, WARMPATH_BLOCK_SIZE=str(BLOCK)) as h:
        path = os.path.join(h.s.node.dir, "data.npz")
        arrays = {f"t{i:02}": numpy.frombuffer(content(f"npz {i}", PART), dtype=numpy.uint8) for i in range(PARTS)}
        save(path, **arrays)
        with zipfile.ZipFile(path) as archive:
            starts = [member.header_offset for member in archive.infolist()]
        with open(path, "rb") as file:
            key = h.s.put("data.npz", file.read())
        done = job.run([bed.venv_python, "-c", MEMBERS, h.s.path(key), *(f"t{i:02}" for i in wanted)], h.s.env())
        check.equal("members", done.text, "".join(f"t{i:02} {hashlib.sha256(arrays[f't{i:02}']).hexdigest()}\n" for i in wanted), done.errors)
        return h.fetched(key), starts, len(h.s.objects[key])


def case_npz_member(bed):
    """It comes at once, and nothing behind it but the directory at the end; compressed ones, too."""
    for save in (numpy.savez, numpy.savez_compressed):
        fetched, starts, size = run_npz(bed, "npz", [11], save)
        begin, end = blocks(starts[11], starts[12])
        check.equal("bytes of the member", inside(fetched, begin, end), end - begin)
        check.equal("bytes between it and the end", inside(fetched, end, size - BLOCK), 0)
        check.equal("bytes before it", inside(fetched, BLOCK, begin), 0)
        check.that(len([r for r in fetched if begin <= r[0] < end]) <= 4, f"{fetched}")


def case_npz_members_in_another_order_bring_the_rest(bed):
    few = [9, 2, 12]
    fetched, starts, _ = run_npz(bed, "npzfew", few)
    check.equal("bytes of t07", inside(fetched, starts[7] + BLOCK, starts[8] - BLOCK), 0)
    fetched, starts, _ = run_npz(bed, "npzsweep", [*few, 6, 14])
    check.equal("bytes of t07", inside(fetched, starts[7], starts[8]), starts[8] - starts[7])
