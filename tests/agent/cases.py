"""The suite "agent": who starts it, what it keeps and leaves, what it counts, when it ends."""

from suite import Case

import company
import environments
import kept
import keys
import life
import missed
import sharing
import tool


FAMILIES = (life, sharing, kept, keys, tool, environments, company, missed)


def cases(bed):
    return [Case("agent/" + name[5:].replace("_", "-"), lambda function=function: function(bed))
            for family in FAMILIES for name, function in vars(family).items() if name.startswith("case_")]
