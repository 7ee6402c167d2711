"""The suite "agent": who starts it, what it keeps and leaves, what it counts, when it ends."""

from suite import Case

import access
import ahead
import bounds
import company
import connections
import disk_ahead
import environments
import formats
import hints
import hit
import identity
import interleaved
import kept
import keys
import library
import life
import missed
import shards
import sharing
import strides
import tool


FAMILIES = (life, sharing, kept, ahead, hints, formats, shards, strides, disk_ahead, keys, tool, environments, company, missed, identity, interleaved, access, connections, bounds, hit, library)


def cases(bed):
    found = []
    for family in FAMILIES:
        found += [Case(f"agent/{name}", run) for name, run in getattr(family, "table", lambda bed: ())(bed)]
        found += [Case("agent/" + name[5:].replace("_", "-"), lambda function=function: function(bed))
                  for name, function in vars(family).items() if name.startswith("case_")]
    return found
