"""Mappings below a local directory: listings, walks and ways across the border."""

from worlds import Program

PLACES = {"in": "nested", "deep/er/text": "text", "over": "code/pkg"}


def sh(name, text, **more):
    return Program(name, "sh", text, places=PLACES, **more)


def py(name, text, **more):
    return Program(name, "py", text, places=PLACES, **more)


PROGRAMS = [
    sh("border-ls", "ls $D $D/deep $D/deep/er; ls -aR $D | sort; cd $D && ls -d * && ls -F && ls -p deep; ls -i in | wc -l"),
    sh("border-find", "find $D | sort; find $D -type d | sort; find $D -name 'leaf*' -exec cat {} + | sort; cd $D && find . -type f | sort; find in deep -maxdepth 2 | sort; find $D -depth -name a | sort; find $D -empty"),
    sh("border-glob", "echo $D/*; echo $D/*/*; echo $D/d*/*/*/c*; cd $D; echo */a*; echo ../top/in/a*; echo i[n]/*; echo deep/*"),
    sh("border-cd", "cd $D/in && pwd && ls .. && cat ../first && cat ../local/file && cd .. && pwd && cat in/a.txt && cd deep && pwd && ls && cd er/text && cat crlf.txt ../../../first && cd ../.. && ls er && cd ../over && ls && cd -P .. && /bin/pwd; cd $D/in/../local && cat file ../in/a.txt"),
    sh("border-grep-du-tar", "grep -rl leaf $D | sort; grep -rc this $D/local $D/first; tar -C $D -cf - . | tar -tf - | sort; cp -r $D/in $D/local/copy && ls -R $D/local/copy | sort; rsync -a $D/deep/ $T/synced/ && find $T/synced | sort; diff -r $D/in $D/local/copy && echo same"),
    sh("border-links", "ln -s ../in $D/local/l; ln -s over $D/o; ls $D/local/l/ $D/o/; cat $D/local/l/a.txt; cd $D/o && ls && cat shapes/words.txt && pwd -P; cd ../local/l/a && ls && cd -P .. && pwd; realpath $D/local/l/a/.. $D/o $D/local/../in/a; find -L $D/local | sort"),
    py("border-python", """
        print(sorted(os.listdir(D)), sorted(os.listdir(f"{D}/deep")), sorted(os.listdir(f"{D}/deep/er")))
        for folder, folders, files in sorted(os.walk(D)):
            print(folder, sorted(folders), sorted(files))
        print(sorted((e.name, e.is_dir(), e.is_file()) for e in os.scandir(D)))
        import glob, pathlib, shutil
        print(sorted(glob.glob(f"{D}/**/*.txt", recursive=True)))
        print(sorted(map(str, pathlib.Path(D).rglob("leaf*"))))
        fd = os.open(D, os.O_RDONLY)
        print(sorted(os.listdir(fd)), os.stat("in", dir_fd=fd).st_mode & 0o170000 == 0o040000, open(os.open("in/a.txt", os.O_RDONLY, dir_fd=fd)).read())
        inside = os.open("in/a", os.O_RDONLY, dir_fd=fd)
        print(open(os.open("../../first", os.O_RDONLY, dir_fd=inside)).read())
        os.chdir(inside); print(os.getcwd()); os.chdir("../.."); print(os.getcwd(), os.path.exists("in/a.txt"), os.path.exists("in/hidden"))
        print(os.path.exists(f"{D}/over/hidden"), sorted(os.listdir(f"{D}/over")))
        print(sum(len(files) for *_, files, _ in os.fwalk(D)))
        shutil.copytree(f"{D}/deep", f"{T}/copied"); print(sorted(os.listdir(f"{T}/copied/er/text")))
        print([os.path.isdir(f"{D}/{p}") for p in ("deep", "deep/er", "in", "over", "nothing")], err(os.stat, f"{D}/deep/nothing"), err(os.listdir, f"{D}/deep/nothing"))
    """),
    sh("border-nothing-behind-a-mapping", """
        ln -s over $D/o; ln -s $D/over/new $D/n; ln -s $D/in $D/i
        for f in o/new n i/new; do echo x 2>/dev/null >$D/$f || echo refused; done
        { touch $D/o/new; mkdir $D/o/d; cp $D/first $D/o/; cp $D/first $D/n; mv $D/first $D/o/; ln -s x $D/o/l; ln $D/local/file $D/o/h; mkfifo $D/o/p; rm -r $D/o/shapes/solid; chmod -R 700 $D/o/shapes/solid; tar -C $D -cf - first | tar -C $D/o -xf -; } 2>&1 | grep -c 'Read-only file system'
        ls $D/o $D/over/ $D; rm $D/o $D/n; ls $D
        rm -r $D/in/a 2>&1 | grep -c Read-only; chmod -R 700 $D/in 2>&1 | grep -c Read-only; chown -R 0 $D/deep 2>&1 | grep -c Read-only; find $D/in -delete 2>&1 | grep -c Read-only; find $D/in | wc -l
        """, s3_only="""\
        refused
        refused
        refused
        13
        {D}:
        deep
        first
        i
        in
        local
        n
        o
        over
        zz-last

        {D}/o:
        shapes

        {D}/over/:
        shapes
        deep
        first
        i
        in
        local
        over
        zz-last
        8
        20
        13
        19
        20
        """),
    Program("border-c", "c", "border.c", places=PLACES),
]
