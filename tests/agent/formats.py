"""Files that announce their parts: what a jump to one brings (safetensors)."""

import json
import struct

import check
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
