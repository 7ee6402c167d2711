"""What shells do themselves: redirection, tests, globs, cd."""

from worlds import bash, sh

PROGRAMS = [
    sh("sh-links-into-the-tree", "ln -s $D/text l; ln -s l/crlf.txt f; cat f l/files.list; readlink f l; realpath l/../one-byte f; test -L l && test -d l && test -f f && echo kinds; ls -lL l | awk '{print $5, $9}'; ls l/; cd l && pwd && pwd -P; cd .. && ls; cp -rL l copy && ls copy; find l -type f | wc -l; find -L . -name 'c*.txt' | sort; tar chf - l | tar tf - | sort; grep -rh three l/; sha256sum f"),
    sh("redirect", "cat <$D/text/crlf.txt; wc -l <$D/text/alpha.txt; wc -c <$D/sizes/9MiB"),
    sh("redirect-directory-by-number", "ls /dev/fd/3/ 3< $D/nested; cd $D/nested && ls -a <.; find /dev/fd/4/ -type f 4< . | sort"),
    sh("redirect-shared-offset", "{ read a; read b; echo \"$b/$a\"; head -n 1; cat; } <$D/text/crlf.txt | od -c"),
    sh("redirect-compound", "while read -r first rest; do echo \"$first\"; done <$D/text/left.sorted | sha256sum"),
    sh("redirect-numbered", "exec 7<$D/text/crlf.txt 8<$D/one-byte; cat <&8; read x <&7; echo \"$x\"; exec 7<&- 8<&-; (cat <&7) 2>/dev/null || echo closed"),
    sh("redirect-missing", "(cat <$D/missing) 2>/dev/null; echo $?; (: <$D/text/none/none) 2>/dev/null || echo no"),
    sh("redirect-directory", "read x <$D/text 2>/dev/null || echo cannot"),
    sh("subshell-and-background", "(sleep 0.1; cat) <$D/text/crlf.txt & wait; (cat $D/one-byte; (cat $D/text/crlf.txt))"),
    sh("cd", "cd $D && pwd && cat text/crlf.txt && cd nested/a && pwd && ls && cd .. && pwd && cat a.txt && cd $T && pwd"),
    sh("cd-physical", "cd -P $D/nested/a && pwd -P && /bin/pwd && cd b && /bin/pwd"),
    sh("cd-missing", "cd $D/missing 2>/dev/null || echo missing; cd $D/one-byte 2>/dev/null || echo file; cd $D/text && pwd"),
    sh("cd-then-child", "cd $D/nested && sh -c 'pwd; cat a.txt; cd a && cat leaf-a.txt' && (cd a/b && cat leaf-b.txt) && cat a.txt"),
    sh("glob", "echo $D/*; echo $D/t*/[a-c]*.txt; echo $D/*/*/*leaf*; echo $D/none*; cd $D/nested && echo * */*"),
    sh("source-and-heredoc", ". $D/code/library.sh && greet \"$(cat $D/one-byte)\"; cat - $D/text/crlf.txt <<END\nhere\nEND"),
    bash("bash-mapfile", "mapfile -t lines <$D/text/alpha.txt; echo ${#lines[@]} \"${lines[42]}\"; mapfile -t -s 2998 rest <$D/text/alpha.txt; echo ${#rest[@]}"),
    bash("bash-file-substitution", "text=$(<$D/text/crlf.txt); echo \"${#text}\"; read -r -N 10 ten <$D/text/alpha.txt; echo \"$ten\""),
    bash("bash-process-substitution", "diff <(sort $D/text/alpha.txt) <(sort $D/text/beta.txt) | wc -l; cat <(cat $D/one-byte) $D/one-byte"),
    bash("bash-globstar", "shopt -s globstar nullglob dotglob; cd $D && echo nested/** && echo names/.h* && echo none/**"),
    bash("bash-tests", "for f in one-byte text empty none; do [[ -f $D/$f ]] && echo $f f; [[ -d $D/$f ]] && echo $f d; [[ -s $D/$f ]] && echo $f s; done; [[ $D/empty -ef $D/empty ]] && echo same"),
    bash("bash-read-loop-fd", "while read -r -u 9 a b; do read -r c <$D/one-byte; echo \"$a$c\"; done 9<$D/text/left.sorted | tail -n 2"),
    bash("bash-coproc", "coproc cat $D/text/crlf.txt; cat <&\"${COPROC[0]}\"; wait"),
    bash("bash-exec-array", "files=($D/many/*); echo ${#files[@]}; cat \"${files[@]}\" | sha256sum"),
    bash("bash-completion-of-paths", "compgen -f $D/text/ | sort; compgen -d $D/nested/ | sort"),
]
