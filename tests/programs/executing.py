"""Programs, scripts and libraries that lie in the tree themselves."""

from worlds import bash, c, py, sh

PROGRAMS = [
    c("c-exec-family", "exec_family.c"),
    c("c-exec-refused", "exec_refused.c"),
    sh("exec-by-path", "$D/bin/show a 'b c'; echo $?; $D/bin/script x y; cd $D/bin; ./show d; ./script; cd ..; bin/show; true"),
    sh("exec-by-PATH", "PATH=$D/none:$D/bin:$PATH; show a; script b; unmarked c; show d | cat; (exec show e); command -v show; type script"),
    bash("exec-bash-by-PATH", "PATH=$D/bin:$PATH; show a; script b; unmarked c; hash; type -P show; (exec -a other show d); true"),
    sh("exec-through-others", "PATH=$D/bin:$PATH; env show a; nice script b; xargs -n 1 show <$D/text/files.list; find $D/one-byte -exec $D/bin/show {} \\;; timeout 20 show c; "
       "echo all: show >$T/Makefile; echo '\tshow from make' >>$T/Makefile; make -s -f $T/Makefile 2>/dev/null || true"),
    sh("exec-through-links", "ln -s $D/bin b; ln -s $D/bin/show s; ln -s $D/bin/script t; ln -s $D/lib/libname.so l.so; ./b/show a; ./s b | cut -d: -f2; ./t c; PATH=$T/b:$PATH; env show d; script e; xargs -n 1 ./s <$D/one-byte | cut -d: -f2; printf '#!%s/b/show given\\n' $T >u; chmod +x u; ./u f; $D/bin/load ./l.so $T/b/../lib/libouter.so"),
    sh("exec-interpreter-in-tree", "printf '#!%s/bin/show given\\n' $D >$T/local; chmod +x $T/local; $T/local a; printf '#! %s/bin/show\\n' $D >$T/other; chmod +x $T/other; env $T/other; $T/missing 2>/dev/null || echo none"),
    sh("exec-script-and-interpreter-in-tree", "$D/bin/interpreted three; PATH=$D/bin:$PATH; env interpreted four",
       s3_only="""\
       show from {D}/bin/show, outer 26: <one two> <{D}/bin/interpreted> <three>
       show from {D}/bin/show, outer 26: <one two> <{D}/bin/interpreted> <four>
       """, exit=3),
    sh("exec-is-executable", "for f in bin/show one-byte text none; do test -x $D/$f; echo $?; done; find $D/bin -executable | sort; stat -c %a $D/bin/show $D/one-byte; command -v $D/bin/script"),
    py("exec-python", """
        import shutil, subprocess
        for words in ([f"{D}/bin/show", "a"], [f"{D}/bin/script", "b"]):
            for close_fds in (True, False):
                done = subprocess.run(words, capture_output=True, text=True, close_fds=close_fds)
                print(done.returncode, done.stdout, done.stderr)
        os.environ["PATH"] = f"{D}/bin:" + os.environ["PATH"]
        print(shutil.which("show"), os.access(f"{D}/bin/show", os.X_OK))
        print(subprocess.run(["show", "by name"], capture_output=True, text=True).stdout)
        print(subprocess.run("show by shell", shell=True, capture_output=True, text=True).stdout)
        print(subprocess.run(["show"], cwd=f"{D}/bin", env={**os.environ, "PATH": "."}, capture_output=True, text=True).stdout)
        for words in ([f"{D}/one-byte"], [f"{D}/text"], [f"{D}/none"], [f"{D}/one-byte/x"]):
            print(err(subprocess.run, words))
        sys.stdout.flush()
        print(os.waitstatus_to_exitcode(os.waitpid(os.posix_spawnp("show", ["show", "spawned"], os.environ), 0)[1]))
    """),
    sh("dlopen-by-path", "$D/bin/load $D/lib/libname.so $D/lib/libouter.so; $D/bin/load $D/none.so; cd $D/lib; ../bin/load ./libname.so ./deep/../libouter.so"),
    sh("dlopen-by-name-of-a-program-in-tree", "$D/bin/load libname.so libouter.so; $D/bin/load libnone.so"),
    sh("dlopen-keeps-a-local-callers-RUNPATH", "mkdir $T/bin $T/lib; cp $D/bin/load $T/bin; cp $D/lib/libname.so $T/lib; $T/bin/load libname.so libdeep.so"),
    sh("dlopen-LD_LIBRARY_PATH", "mkdir $T/bin; cp $D/bin/load $T/bin; export LD_LIBRARY_PATH=$D/lib:$D/lib/deep; $T/bin/load libname.so libouter.so libdeep.so"),
    sh("exec-libraries-in-LD_LIBRARY_PATH", "export LD_LIBRARY_PATH=$D/lib/deep; $D/bin/stray; sh -c '$D/bin/stray; true'; env $D/bin/stray | cat; LD_LIBRARY_PATH=/none:$LD_LIBRARY_PATH $D/bin/stray"),
    py("dlopen-ctypes", """
        import ctypes
        outer = ctypes.CDLL(f"{D}/lib/libouter.so")
        print(outer.outer(), ctypes.CDLL(f"{D}/lib/libname.so").name(), ctypes.CDLL(f"{D}/lib/libouter.so")._handle == outer._handle)
        try:
            ctypes.CDLL(f"{D}/none.so")
        except OSError as error:
            print(error)
    """),
    c("c-handover", "handover.c"),
    c("c-early-and-late", "early_late.c"),
    c("c-signals-and-forks-among-threads", "signals.c"),
    c("c-dlopen", "dlopen.c"),
    c("c-symbols-of-old-glibc", "old_symbols.c"),
]
