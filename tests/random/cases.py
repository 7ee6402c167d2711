"""The suite "random": seeded random operations on the mapping and on the local copy.

`tests/run --only random --seed 7 --ops 20000` runs one seed of your choice, for as long as you
like. A failure names the first operation that differs; the numbers and the seed repeat it.
"""

import os

import check
import job
from node import Node
from suite import Case

OPERATIONS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "operations.py")
SEEDS = (1, 2, 3, 4, 5)
COUNT = 2000                                    # for each seed
BLOCK_SIZES = {1: "4M", 2: "64K", 3: "1M", 4: "128K", 5: "64K"}      # small blocks have many borders


def cases(bed):
    seed, count = bed.chosen_seed, bed.chosen_ops or COUNT
    seeds = SEEDS if seed is None else (seed,)
    return [Case(f"random/seed-{number}", lambda number=number: compare(bed, number, count))
            for number in seeds]


def compare(bed, seed, count):
    tree = bed.tree()
    deadline_s = 120 + count / 5
    want = run(bed, tree.local, bed.base_env(), seed, count, deadline_s)
    check.equal("local: exit status", want.status, 0, want.errors)
    check.equal("local: lines", len(want.text.splitlines()), count, want.errors)
    with Node(bed, "random") as node:
        env = node.env(tree.mapping, WARMPATH_BLOCK_SIZE=BLOCK_SIZES.get(seed, "64K"))
        for world in ("s3-cold", "s3-warm"):
            got = run(bed, tree.mapped, env, seed, count, deadline_s)
            check.same_text(f"{world}: operation", got.text, want.text, (world, "local"))
            check.equal(f"{world}: exit status", got.status, 0, got.errors)


def run(bed, directory, env, seed, count, deadline_s):
    done = job.run([bed.python, OPERATIONS, directory, str(seed), str(count)], env, deadline_s=deadline_s)
    done.out = done.out.replace(directory.encode(), b"{D}")
    return done
