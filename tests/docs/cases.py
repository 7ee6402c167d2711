"""The suite "docs": what docs/semantics.md says of each call, held against preload/symbols.def."""

import ctypes
import os
import re

import check
from suite import Case
from testbed import ROOT

PAGE = os.path.join(ROOT, "docs", "semantics.md")
SYMBOLS = os.path.join(ROOT, "preload", "symbols.def")
NAME = re.compile(r"`([a-z_][a-z_0-9]*)`")


def rows(heading):
    """The cells of each row of the table below a heading, without the table's head."""
    with open(PAGE) as file:
        text = file.read()
    section = text.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    table = [line for line in section.splitlines() if line.startswith("|")][2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table]


def symbols():
    """Each row of symbols.def as (kind, name, the rest of the line)."""
    with open(SYMBOLS) as file:
        found = re.findall(r"^([A-Z0-9]+)\((?:[^,()]+, *)?(\w+), *(.*)\)$", file.read(), re.M)
    return [row for row in found if row[0] != "define"]


def documented():
    """Name → what the page says of it."""
    return {name: says for _, calls, says in rows("Calls") for name in NAME.findall(calls)}


def first_names():
    return {name for kind, name, _ in symbols() if kind != "TWIN"}


def case_every_symbol_is_documented():
    missing = sorted(first_names() - documented().keys())
    check.that(not missing, f"no row under 'Calls' names {', '.join(missing)}")


def case_every_documented_call_is_a_symbol():
    unknown = sorted(documented().keys() - first_names())
    check.that(not unknown, f"'Calls' names what symbols.def doesn't: {', '.join(unknown)}")


def case_each_call_is_documented_once():
    names = [name for _, calls, _ in rows("Calls") for name in NAME.findall(calls)]
    twice = sorted({name for name in names if names.count(name) > 1})
    check.that(not twice, f"named twice: {', '.join(twice)}")


def case_second_names_are_of_documented_calls():
    strays = [f"{name} of {of}" for kind, name, of in twins() if of not in documented()]
    check.that(not strays, f"second names of undocumented calls: {', '.join(strays)}")


def twins():
    return [row for row in symbols() if row[0] == "TWIN"]


def case_errors_are_those_of_the_rows():
    """A generated wrapper's errno stands in its row."""
    wrong = []
    for kind, name, rest in symbols():
        says = documented().get(name, "")
        last = rest.split(",")
        want = {"ROFS": "EROFS", "FDNO": last[-1].strip(), "NOSUP": last[-2].strip() if len(last) > 1 else ""}
        if kind == "GIVES" and ", -1, " not in rest:
            want["GIVES"] = re.search(r", (E[A-Z]+), lazy_", rest).group(1)
        error = want.get(kind)
        if error == "0" and not re.search("success|an empty list", says):
            wrong.append(f"{name} succeeds")
        elif error and error != "0" and error not in says:
            wrong.append(f"{name} gives {error}")
    check.that(not wrong, f"the page says otherwise: {'; '.join(wrong)}")


def case_calls_without_a_hook_have_none():
    libc = ctypes.CDLL(None)
    exported = {name for _, name, _ in symbols()}
    names = [name for calls, _ in rows("Calls without a hook") for name in NAME.findall(calls)]
    check.that(len(names) > 20, f"only {len(names)} names were found")
    hooked = [name for name in names if name in exported]
    check.that(not hooked, f"they have a hook: {', '.join(hooked)}")
    unknown = [name for name in names if not hasattr(libc, name)]
    check.that(not unknown, f"libc has no {', '.join(unknown)}")


def cases(bed):
    return [Case("docs/" + name.removeprefix("case_").replace("_", "-"), case)
            for name, case in globals().items() if name.startswith("case_")]
