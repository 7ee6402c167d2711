"""The suite "libc": the built library under another Debian's libc and programs.

    debootstrap --variant=minbase --include=python3,perl,rsync,git,sqlite3 trixie DIR
    tests/run --only libc --root DIR

Needs root. The programs run in DIR, on the tree itself and on the mapping, and must say the same; agent and services
are this machine's. Not among the default suites: it needs a second system.
"""

import os
import shutil

import check
import job
from node import Node
from suite import Case

# A mount namespace of its own: the tree in /mnt, the node's directory (library, socket) in /srv.
ENTER = ('mount --bind "$TREE" "$ROOT/mnt" && mount --bind "$NODE" "$ROOT/srv" && mount -t proc proc "$ROOT/proc" && '
         'mount -t tmpfs tmpfs "$ROOT/tmp" && exec chroot "$ROOT" env LD_PRELOAD="$INSIDE" sh -c "cd /tmp; $SCRIPT"')

SCRIPTS = {
    "coreutils": "cat $D/text/alpha.txt | head -n 3; ls -l $D/text/*.txt; ls -aFR $D/nested; wc $D/text/utf8.txt; sort $D/text/alpha.txt | md5sum; stat -c '%s %a %F' $D/one-byte $D/text; "
                 "sha256sum $D/sizes/9MiB; tail -c 100 $D/sizes/9MiB | od -c | tail -2; cp -r $D/nested copy; ls -R copy; du --apparent-size -b $D/one-byte; dd if=$D/sizes/9MiB bs=70000 skip=3 count=2 status=none | cksum; "
                 "cmp $D/sizes/9MiB $D/sizes/9MiB && echo same; realpath $D/text/../one-byte; test -r $D/one-byte && echo readable; split -b 4194304 $D/sizes/9MiB part; cat part* | cksum",
    "findutils-grep-sed": "find $D/nested $D/code | sort; find $D -name 'leaf*' -exec cat {} + | sort; find $D/many -type f -print0 | sort -z | xargs -0 -n 40 cat | cksum; grep -rc a $D/text | sort; grep -n -m 2 '' $D/text/crlf.txt; sed -n 2p $D/text/alpha.txt",
    "tar": "tar -C $D -cf - nested text | tar -tf - | sort; tar -C $D -cf all.tar nested && tar -xf all.tar && ls -R nested; tar -tzf $D/archives/bundle.tar.gz | sort | head",
    "perl": "perl -ne 'print if $. < 4' $D/text/alpha.txt; perl -e 'opendir(my $d, shift) or die; print join(\",\", sort readdir $d), \"\\n\"' $D/nested; perl -e 'print -s shift, \"\\n\"' $D/sizes/9MiB; perl -MFile::Find -e 'my @n; find(sub { push @n, $_ }, shift); print join(\" \", sort @n), \"\\n\"' $D/nested; "
            "perl -e 'open(my $f, \"<\", shift) or die; seek($f, 4194300, 0); read($f, my $b, 20); print unpack(\"H*\", $b), \"\\n\"; system(\"cat\", shift)' $D/sizes/9MiB $D/one-byte",
    "python": "python3 -c 'import os, sys, mmap, subprocess, hashlib, multiprocessing, shutil, glob\n"
              "D = sys.argv[1]\n"
              "data = open(D + \"/sizes/9MiB\", \"rb\").read()\n"
              "f = open(D + \"/sizes/9MiB\", \"rb\")\n"
              "view = mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ)\n"
              "print(hashlib.sha256(data).hexdigest(), view[:] == data, sorted(os.listdir(D)), os.stat(D + \"/one-byte\").st_size)\n"
              "print(subprocess.run([\"cat\"], stdin=open(D + \"/text/crlf.txt\"), stdout=subprocess.PIPE).stdout, subprocess.run(\"ls; cat a.txt\", shell=True, cwd=D + \"/nested\", stdout=subprocess.PIPE).stdout)\n"
              "print(sorted(glob.glob(D + \"/nested/**\", recursive=True)), [sorted(n) for _, _, n in sorted(os.walk(D + \"/nested\"))])\n"
              "def work(n):\n"
              "    return hashlib.sha256(os.pread(f.fileno(), 99999, n * 4000)).hexdigest()[:9]\n"
              "with multiprocessing.get_context(\"fork\").Pool(3) as pool: print(pool.map(work, range(20)))\n"
              "pid = os.fork()\n"
              "if pid == 0: os.execvp(\"wc\", [\"wc\", \"-c\", D + \"/sizes/9MiB\"])\n"
              "print(os.waitpid(pid, 0)[1])\n"
              "for call in (lambda: open(D + \"/none\"), lambda: os.listdir(D + \"/one-byte\"), lambda: open(D + \"/text\"), lambda: os.readlink(D + \"/one-byte\")):\n"
              "    try: call()\n"
              "    except OSError as e: print(e.errno)\n' $D",
    "shell": "while read line; do echo \"$line\"; done <$D/text/files.list; cd $D/text && pwd && cat crlf.txt && cd .. && ls | head -4; (cat; cat) <$D/one-byte; echo $D/nested/*; exec 5<$D/one-byte; cat <&5",
}

# Programs that a small system may not have.
EXTRA = {
    "rsync": "rsync -a $D/nested/ copy/; find copy | sort; rsync -an --itemize-changes $D/nested/ copy/ | grep -v '^\\.' | head -3; echo done",
    "sqlite3": "sqlite3 -readonly $D/data/words.sqlite 'select count(*), max(rowid) from words'",
    "gawk": "gawk '{ n += length($0) } END { print NR, n }' $D/text/alpha.txt",
}


def run(bed, root, script, tree, place, preload):
    with Node(bed, "libc") as node:
        shutil.copy(bed.other_library or bed.preload, os.path.join(node.dir, "libwarmpath.so"))
        env = node.env(tree.mapping)
        if preload:     # the agent is started out here
            check.equal("agent", job.run(["cat", f"{tree.mapped}/one-byte"], env).status, 0)
        env.pop("LD_PRELOAD")
        env.update(TREE=tree.local, ROOT=root, NODE=node.dir, D=place, INSIDE="/srv/libwarmpath.so" if preload else "", SCRIPT='eval "$BODY"',
                   BODY=script, WARMPATH_SOCKET="/srv/s", PATH="/usr/bin:/bin:/usr/sbin:/sbin", HOME="/tmp", TMPDIR="/tmp")
        done = job.run(["unshare", "-m", "sh", "-c", ENTER], env, deadline_s=120)
        done.out = done.out.replace(place.encode(), b"{D}")
        return done


def same(bed, root, script):
    tree = bed.tree()
    want = run(bed, root, script, tree, "/mnt", preload=False)
    check.that(want.status == 0 and want.text, f"on the tree itself: exit {want.status}", want.text + want.errors)
    got = run(bed, root, script, tree, tree.mapped, preload=True)
    check.same_text("output", got.text, want.text, ("mapping", "tree"))
    check.equal("standard error", got.errors, want.errors)
    check.equal("exit status", got.status, want.status)


def cases(bed):
    root = bed.root
    check.that(root and os.path.exists(f"{root}/bin/sh"), "--root names no system; see tests/libc/cases.py")
    scripts = SCRIPTS | {name: text for name, text in EXTRA.items() if shutil.which(name, path=f"{root}/usr/bin")}
    return [Case("libc/" + name, lambda text=text: same(bed, root, text)) for name, text in scripts.items()]
