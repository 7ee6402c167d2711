"""What a test says when it fails.

A case fails by raising Failure; the helpers below raise it with both values in the text.
Anything else that a case raises counts as a failure too, with its traceback.
"""

import difflib
import re


class Failure(Exception):
    """The case failed; the text says what differed. `detail` is shown with --verbose."""

    def __init__(self, text, detail=""):
        super().__init__(text)
        self.detail = detail


def short(value, limit=300):
    """One line of at most `limit` characters that shows a value."""
    text = value if isinstance(value, str) else repr(value)
    text = text.replace("\n", "\\n")
    return text if len(text) <= limit else text[:limit] + f"… ({len(text)} characters)"


def that(condition, text, detail=""):
    if not condition:
        raise Failure(text, detail)


def equal(what, got, want, detail=""):
    if got != want:
        raise Failure(f"{what}: got {short(repr(got))}, want {short(repr(want))}", detail)


def match(what, text, pattern, detail=""):
    """Some line of `text` matches `pattern`."""
    if not any(re.search(pattern, line) for line in text.splitlines()):
        raise Failure(f"{what}: no line matches /{pattern}/ in {short(text) or '(nothing)'}", detail)


def same_text(what, got, want, names=("got", "want")):
    """Equal outputs; the failure shows the first lines that differ."""
    if got == want:
        return
    got_lines, want_lines = got.splitlines(), want.splitlines()
    index = next((i for i, (a, b) in enumerate(zip(got_lines, want_lines)) if a != b),
                 min(len(got_lines), len(want_lines)))
    show = lambda lines: short(lines[index], 160) if index < len(lines) else "(ended)"
    detail = "\n".join(difflib.unified_diff(want_lines, got_lines, names[1], names[0], lineterm="", n=1))
    raise Failure(f"{what} differs at line {index + 1}: {names[1]} {show(want_lines)!r}, "
                  f"{names[0]} {show(got_lines)!r}", detail)
