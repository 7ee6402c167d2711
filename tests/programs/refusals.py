"""What a read-only mapping refuses. There is no local counterpart (root may write anywhere), so
the table holds the expected output; the programs run in the S3 worlds only."""

from worlds import py, sh

PROGRAMS = [
    py("ro-open-for-writing", """
        for flags in ("O_WRONLY", "O_RDWR", "O_WRONLY|O_TRUNC", "O_WRONLY|O_APPEND", "O_RDONLY|O_TRUNC"):
            value = 0
            for flag in flags.split("|"):
                value |= getattr(os, flag)
            print(flags, err(os.open, f"{D}/one-byte", value))
        print(err(os.open, f"{D}/new", os.O_WRONLY | os.O_CREAT), err(os.open, f"{D}/new", os.O_RDWR | os.O_CREAT | os.O_EXCL))
        print(err(open, f"{D}/text/alpha.txt", "w"), err(open, f"{D}/new", "a"), err(open, f"{D}/one-byte", "r+"), err(open, f"{D}/new", "x"))
        print(open(f"{D}/one-byte").read(), os.path.exists(f"{D}/new"))
    """, s3_only="""\
        O_WRONLY EROFS
        O_RDWR EROFS
        O_WRONLY|O_TRUNC EROFS
        O_WRONLY|O_APPEND EROFS
        O_RDONLY|O_TRUNC EROFS
        EROFS EROFS
        EROFS EROFS EROFS EROFS
        1 False
        """),
    py("ro-names", """
        one, new = f"{D}/one-byte", f"{D}/new"
        open(f"{T}/local", "w").close()
        print(err(os.unlink, one), err(os.remove, one), err(os.rmdir, f"{D}/marker"), err(os.mkdir, new))
        print(err(os.rename, one, new), err(os.replace, f"{T}/local", one) in ("EROFS", "EXDEV"))
        print(err(os.symlink, "x", new), err(os.link, one, new), err(os.mkfifo, new), err(os.makedirs, f"{D}/a/b"))
        print(err(os.chmod, one, 0o600), err(os.chown, one, 0, 0), err(os.utime, one), err(os.truncate, one, 0))
        print(err(os.rename, one, f"{T}/elsewhere") in ("EROFS", "EXDEV"), err(os.link, one, f"{T}/elsewhere") in ("EROFS", "EXDEV"))
        print(open(one).read(), os.path.exists(new), os.path.exists(f"{T}/local"))
    """, s3_only="""\
        EROFS EROFS EROFS EROFS
        EROFS True
        EROFS EROFS EROFS EROFS
        EROFS EROFS EROFS EROFS
        True True
        1 False True
        """),
    py("ro-relative-and-dir-fd", """
        fd = os.open(D, os.O_RDONLY)
        print(err(os.open, "new", os.O_WRONLY | os.O_CREAT, dir_fd=fd), err(os.unlink, "one-byte", dir_fd=fd), err(os.mkdir, "new", dir_fd=fd), err(os.rename, "one-byte", "new", src_dir_fd=fd, dst_dir_fd=fd))
        os.chdir(f"{D}/text")
        print(err(os.open, "new", os.O_WRONLY | os.O_CREAT), err(os.unlink, "crlf.txt"), err(os.mkdir, "../new"), err(os.utime, "crlf.txt"))
        print(os.listdir(f"{D}/marker"))
    """, s3_only="""\
        EROFS EROFS EROFS EROFS
        EROFS EROFS EROFS EROFS
        []
        """),
    py("ro-descriptors", """
        fd = os.open(f"{D}/one-byte", os.O_RDONLY)
        print(err(os.fchmod, fd, 0o600), err(os.fchown, fd, 0, 0), err(os.utime, fd), err(os.ftruncate, fd, 0) in ("EINVAL", "EBADF", "EROFS"))
    """, s3_only="EROFS EROFS EROFS True\n"),
    py("ro-access", """
        for name in ("one-byte", "text"):
            print(os.access(f"{D}/{name}", os.R_OK), os.access(f"{D}/{name}", os.W_OK), os.access(f"{D}/{name}", os.R_OK | os.W_OK))
        print(os.access(f"{D}/one-byte", os.X_OK), os.access(f"{D}/text", os.X_OK))
    """, s3_only="""\
        True False False
        True False False
        True True
        """),
    sh("ro-shell", "{ echo x >$D/new; echo $?; echo x >>$D/one-byte; echo $?; rm $D/one-byte; echo $?; mkdir $D/new; echo $?; touch $D/one-byte; echo $?; cp $D/empty $D/new; echo $?; mv $D/one-byte $D/new; echo $?; ln -s x $D/new; echo $?; cat $D/one-byte; } 2>&1 | grep -o -e 'Read-only file system' -e '^[0-9]*$'",
       s3_only="""\
       Read-only file system
       2
       Read-only file system
       2
       Read-only file system
       1
       Read-only file system
       1
       Read-only file system
       1
       Read-only file system
       1
       Read-only file system
       1
       Read-only file system
       1
       1
       """),
    sh("ro-sed-in-place-and-tee", "{ sed -i s/1/2/ $D/one-byte; echo $?; echo x | tee $D/one-byte; echo $?; truncate -s 0 $D/one-byte; echo $?; chmod 600 $D/one-byte; echo $?; } 2>&1 | grep -c 'Read-only file system'; cat $D/one-byte",
       s3_only="4\n1"),
    py("ro-through-links", """
        os.symlink(D, f"{T}/l"), os.symlink(f"{D}/one-byte", f"{T}/one"), os.symlink(f"{D}/new", f"{T}/new")
        print(err(open, f"{T}/l/new", "w"), err(open, f"{T}/new", "w"), err(open, f"{T}/one", "r+"), err(open, f"{T}/one", "a"))
        print(err(os.unlink, f"{T}/l/one-byte"), err(os.mkdir, f"{T}/l/d"), err(os.rename, f"{T}/one", f"{T}/l/x"), err(os.symlink, "x", f"{T}/l/x"))
        print(err(os.chmod, f"{T}/one", 0o600), err(os.truncate, f"{T}/one", 0), err(os.utime, f"{T}/one"), err(os.rmdir, f"{T}/l/marker"))
        print(err(os.unlink, f"{T}/one"), err(os.rename, f"{T}/l", f"{T}/m"), err(os.rename, f"{T}/m", f"{T}/nowhere/m"))
        print(open(f"{T}/m/one-byte").read(), sorted(os.listdir(T))[:2])
    """, s3_only="""\
        EROFS EROFS EROFS EROFS
        EROFS EROFS EXDEV EROFS
        EROFS EROFS EROFS EROFS
        None None ENOENT
        1 ['m', 'new']
        """),
    py("ro-sqlite-write", """
        import sqlite3
        database = sqlite3.connect(f"{D}/data/words.sqlite")
        try:
            database.execute("insert into words values (99999, 'new', 1)")
            database.commit()
        except sqlite3.OperationalError as error:
            print(error)
        print(database.execute("select count(*) from words").fetchone())
    """, s3_only="attempt to write a readonly database\n(20000,)\n"),
    sh("prefix-siblings-are-not-ours", "ls ${D}x 2>&1 | tail -c 26; cat ${D}/../treetop 2>&1 | tail -c 26; ls / >/dev/null && echo root",
       s3_only="No such file or directory\nNo such file or directory\nroot\n"),
]
