"""The suite "cluster": several nodes, one index, blocks that leave S3 once."""

from suite import Case

import moves
import redis_trouble
import secure
import together
import trouble

FAMILIES = (together, trouble, moves, redis_trouble, secure)


def cases(bed):
    return [Case("cluster/" + name[5:].replace("_", "-"), lambda function=function: function(bed))
            for family in FAMILIES for name, function in vars(family).items() if name.startswith("case_")]
