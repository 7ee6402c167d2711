"""The suite "faults": bad input and misbehaving servers.

For each: the documented errno (docs/semantics.md), a line on standard error that names the cause
and says what to mend, no hang, and nothing wrong in the data. A case is a function of its
family's module whose name begins with `case_`, or a row of its `table(bed)`.
"""

from suite import Case

import cache
import full
import hidden
import late
import lazy_maps
import mappings
import origin
import replaced
import secure
import soak
import stalled
import transfer

FAMILIES = (mappings, origin, secure, hidden, transfer, late, replaced, cache, stalled, full, lazy_maps, soak)


def cases(bed):
    found = []
    for family in FAMILIES:
        found += [Case(f"faults/{name}", run) for name, run in getattr(family, "table", lambda bed: ())(bed)]
        for name, function in vars(family).items():
            if name.startswith("case_"):
                found.append(Case("faults/" + name[5:].replace("_", "-"),
                                  lambda function=function: function(bed)))
    return found
