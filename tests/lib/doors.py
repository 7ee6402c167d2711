"""Calls that went past the library: what strace saw of the mapping's paths, what the library's detector told.

The library answers for every path below the mapping, so the kernel should never be asked for one; and it
never reads or maps a placeholder, so nothing else should either. What the kernel may see: what a symbolic link
is to say; a name that is too long for anybody; and what the dynamic loader looks for by itself, which isn't there.
"""

import re

HARMLESS = re.compile(r"execve\(|= 0x[0-9a-f]+ \(flags|= -1 ENAMETOOLONG")
LINK_TEXT = re.compile(r'(symlink(?:at)?\(|readlink\("[^"]*", |readlinkat\([^"]*"[^"]*", |readlinkat resumed>)"[^"]*"')
LOADER_MISS = re.compile(r'openat\(AT_FDCWD, "([^"]*)/[^"/]*\.so[^"/]*", O_RDONLY\|O_CLOEXEC(?:\) = -1 ENOENT| <unfinished)')
# Below each directory that it searches the loader asks for those of better processors.
BETTER = r"(/(glibc-hwcaps|tls|haswell|x86_64|avx512_1|x86-64-v[234])\b)*"


def traced(record):
    """What to put before a command so that its and its children's calls by path are written to `record`."""
    # The library must not be loaded into strace itself: it is handed on to the command alone.
    return ["/bin/sh", "-c", 'preload=$LD_PRELOAD; unset LD_PRELOAD; record=$1; shift; '
            'exec strace -f -qq -s 256 -e trace=%file -o "$record" env "LD_PRELOAD=$preload" "$@"', "doors", record]


def by_loader(lines):
    """A test for lines: the dynamic loader's own search, in a directory where it found nothing."""
    folders = {re.sub(BETTER + "$", "", miss[1]) for miss in map(LOADER_MISS.search, lines) if miss}
    if not folders:
        return lambda line: False
    search = re.compile(rf'statat\(AT_FDCWD, "({"|".join(map(re.escape, folders))}){BETTER}", .*( = -1 ENOENT|<unfinished)')
    return lambda line: LOADER_MISS.search(line) or search.search(line)


def paths(record, mapped):
    """The calls by path that reached the kernel with a path below the mapping."""
    with open(record, errors="replace") as file:
        lines = [LINK_TEXT.sub(r'\1"..."', line.rstrip()) for line in file]
    harmless = by_loader(lines)
    return [line for line in lines if f'"{mapped}/' in line and not HARMLESS.search(line) and not harmless(line)]


def reports(errors):
    return [line for line in errors.splitlines() if line.startswith("warmpath: doors: ")]
