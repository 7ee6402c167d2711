"""The suite "programs": ordinary programs in three worlds. The tables are in the family files."""

from suite import Case
from worlds import Worlds

import big
import border
import compilers
import coreutils
import documents
import executing
import java
import languages
import lazy
import native
import node_js
import python_data
import python_io
import python_library
import python_process
import readonly
import refusals
import repositories
import searchers
import shells
import tools

FAMILIES = (coreutils, tools, searchers, shells, repositories, compilers, documents, languages, node_js, java,
            python_io, python_library, python_process, python_data, refusals, readonly, native, executing, border, lazy)
_worlds = []


def cases(bed):
    worlds = Worlds(bed)
    _worlds.append(worlds)
    programs = [program for family in FAMILIES for program in family.PROGRAMS]
    names = [program.name for program in programs]
    twice = {name for name in names if names.count(name) > 1}
    assert not twice, f"two programs have the same name: {twice}"
    return [Case("programs/" + program.name, lambda program=program: worlds.check(program))
            for program in programs] + ([] if bed.doors else big.cases(bed, worlds) + lazy.cases(bed, worlds))


def close():
    while _worlds:
        _worlds.pop().close()
