"""The suite "cluster": several nodes, one index, blocks that leave S3 once."""

from suite import Case

import trouble
import together

FAMILIES = (together, trouble)


def cases(bed):
    return [Case("cluster/" + name[5:].replace("_", "-"), lambda function=function: function(bed))
            for family in FAMILIES for name, function in vars(family).items() if name.startswith("case_")]
