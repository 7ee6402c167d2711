"""The suite "programs": ordinary programs in three worlds. The tables are in the family files."""

from suite import Case
from worlds import Worlds

import coreutils
import tools
import shells
import python_io
import python_library
import refusals
import native
import executing
import border

FAMILIES = (coreutils, tools, shells, python_io, python_library, refusals, native, executing, border)
_worlds = []


def cases(bed):
    worlds = Worlds(bed)
    _worlds.append(worlds)
    programs = [program for family in FAMILIES for program in family.PROGRAMS]
    names = [program.name for program in programs]
    assert len(set(names)) == len(names), "two programs have the same name"
    return [Case("programs/" + program.name, lambda program=program: worlds.check(program))
            for program in programs]


def close():
    while _worlds:
        _worlds.pop().close()
