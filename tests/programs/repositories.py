"""git on a repository in the mapping, read-only: loose objects, packs by mmap, references, a work tree."""

from worlds import sh

QUIET = {"GIT_CONFIG_NOSYSTEM": "1", "GIT_OPTIONAL_LOCKS": "0", "GIT_PAGER": "cat",
         "GIT_CONFIG_COUNT": "2", "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": "*",
         "GIT_CONFIG_KEY_1": "core.fileMode", "GIT_CONFIG_VALUE_1": "false"}     # any object may be a program


def git(name, text, **more):
    return sh("git-" + name, text, env=QUIET, **more)


PROGRAMS = [
    git("log", "git --git-dir=$D/code/repo.git log --stat; GIT_DIR=$D/code/checkout/.git git log --oneline --graph --all"),
    git("show", "git -C $D/code/checkout show v1; git -C $D/code/checkout show HEAD~2:notes.txt | sha256sum; cd $D/code/checkout && git show --stat side"),
    git("fsck", "git --git-dir=$D/code/repo.git fsck --full --strict 2>&1 && git -C $D/code/checkout fsck 2>&1 && echo sound"),
    git("cat-file", "cd $D/code/checkout && git cat-file --batch-check --batch-all-objects && git cat-file -p HEAD^{tree} && git rev-list --all --objects | git cat-file --batch | sha256sum"),
    git("verify-pack", "git -C $D/code/checkout verify-pack -v $D/code/checkout/.git/objects/pack/*.idx"),
    git("status", "git -C $D/code/checkout status --short --branch; cd $D/code/checkout/part && git status && git ls-files -s"),
    git("diff", "cd $D/code/checkout && git diff HEAD~4 HEAD -- notes.txt; git diff --stat v1 side; git diff --exit-code && echo clean"),
    git("blame-grep", "cd $D/code/checkout && git blame -s notes.txt | sort | uniq -c | wc -l; git grep -c changed; git grep changed v1 -- notes.txt | head -n 3"),
    git("clone", "git clone -q $D/code/repo.git $T/a && git -C $T/a log --oneline && git clone -q --no-local file://$D/code/checkout $T/b && git -C $T/b fsck && sha256sum $T/a/notes.txt $T/b/notes.txt"),
    git("clone-shared", "git clone -q --shared $D/code/repo.git $T/a && git -C $T/a log --oneline | wc -l && git -C $T/a gc -q && git -C $T/a fsck && git -C $T/a show v1 | head -n 4"),
    git("fetch-archive-bundle", "git init -q $T/a && git -C $T/a fetch -q $D/code/repo.git 'refs/*:refs/from/*' && git -C $T/a for-each-ref; git --git-dir=$D/code/repo.git archive v1 | tar t; git -C $D/code/checkout bundle create -q $T/x.bundle --all && git bundle list-heads $T/x.bundle"),
    git("apply-hash", "cd $D && git hash-object text/alpha.txt sizes/4095; git diff --no-index text/left.sorted text/right.sorted | head -n 8; git -C $D/code/checkout rev-parse --show-toplevel HEAD side v1; git -C $D/code/checkout describe --tags"),
    git("refuses-to-write", "cd $D/code/checkout && git tag new; git commit --allow-empty -m x; git gc; git fsck >/dev/null && git log --oneline | wc -l",
        s3_only="12\n"),
]
