"""C and C++ programs, compiled by the test: what libc offers beyond what the others touch."""

from worlds import Program, c

PROGRAMS = [
    c("c-stdio", "stdio.c"),
    c("c-stdio-more", "stdio_more.c"),
    c("c-stdio-edge", "stdio_edge.c"),
    c("c-stat", "stat.c"),
    c("c-directory", "directory.c"),
    c("c-scandir-glob-realpath", "scandir.c"),
    Program("c-walkers-are-refused", "c", "walkers.c", s3_only="nftw: EOPNOTSUPP\nftw: EOPNOTSUPP\nfts: EOPNOTSUPP\nvisits: 0\n"),
    c("c-openat", "openat.c"),
    c("c-mmap", "mapping.c"),
    c("c-read-variants", "read_variants.c"),
    c("c-descriptors", "descriptors.c"),
    c("c-fork-exec", "fork_exec.c"),
    c("c-spawn-actions", "spawn_actions.c"),
    c("c-threads", "threads.c"),
    c("c-getdents", "getdents.c"),
    c("c-splice", "splice.c"),
    c("c-shared-offset", "shared_offset.c"),
    c("c-reused-number", "reused_number.c"),
    Program("cxx-ifstream", "c++", "ifstream.cc"),
    Program("cxx-filesystem", "c++", "filesystem.cc"),
    Program("c-unseen-calls-fail-loudly", "c", "unseen.c", unseen=True,
            s3_only="read: right or refused\npread: right or refused\nmmap: right or refused\n"),
    Program("c-static-child", "c", "static_child.c", unseen=True, s3_only="static child: right or refused\n"),
    Program("c-preload-stays-out-of-static", "static", "static_open.c", unseen=True, s3_only="static open: ENOENT\n"),
]
