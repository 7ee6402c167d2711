"""Programs that walk, search, page and edit: ripgrep and fd (Rust), busybox, tree, vim, ed, less."""

from worlds import script, sh

busybox = script("busybox")

PROGRAMS = [
    sh("ripgrep", "cd $D && rg --no-config --sort path -n 'warm path' text | sha256sum; rg -c socket $D/text/alpha.txt; rg --files --sort path $D/nested; rg -j 1 --mmap warm $D/text/beta.txt | wc -l; rg --no-mmap -c warm $D/text/beta.txt"),
    sh("ripgrep-threads", "rg -j 4 -l leaf $D/nested $D/many | sort; cd $D && rg -uuu --count-matches warm . | sort; cd $D/text && rg -l socket . | sort; rg -z -c warm $D/archives/notes.gz"),
    sh("ripgrep-stdin", "rg -c warm <$D/text/alpha.txt; rg -c warm - <$D/text/alpha.txt; rg --multiline -c 'warm\\n' $D/text/alpha.txt; rg -f $D/one-byte -c $D/text/numbers.txt"),
    sh("ripgrep-missing", "rg x $D/missing 2>&1 | grep -o 'No such file.*'; rg -q no-such-text-here $D/text; echo $?"),
    sh("fd", "fdfind . $D/nested | sort; fdfind -t f -S +3M . $D | sort; fdfind -j 4 -e txt leaf $D -x cat | sort; cd $D/many && fdfind -g 'file-01*' | sort"),
    sh("fd-exec-batch", "fdfind -t f . $D/nested -X sha256sum | sort; fdfind -H -t e . $D | sort; fdfind --changed-before 2100-01-01 -t f . $D/text | wc -l"),
    busybox("busybox", "cat $D/text/crlf.txt; ls $D/nested; wc -c <$D/sizes/9MiB; md5sum $D/sizes/4MiB+1; grep -c warm $D/text/alpha.txt; find $D/nested -type f | sort; head -n 2 $D/text/alpha.txt | cut -c 1-20"),
    busybox("busybox-archives", "tar tf $D/archives/bundle.tar | head -n 4; gunzip -c $D/archives/notes.gz | sha1sum; unzip -p $D/archives/bundle.zip text/alpha.txt | md5sum; unxz -c $D/archives/notes.xz | wc; cpio --version >/dev/null 2>&1; dd if=$D/sizes/9MiB bs=4096 skip=1024 count=2 2>/dev/null | sha256sum"),
    busybox("busybox-tools", "cd $D && sort text/left.sorted | uniq | wc -l; sed -n 5p text/alpha.txt; awk 'END { print NR }' text/alpha.txt; diff -q text/alpha.txt text/beta.txt; cmp sizes/4MiB sizes/4MiB+1; stat -c %s one-byte; du -a nested | wc -l; tac text/crlf.txt; od -c one-byte; test -d text && echo dir; cp -r nested $T/n && find $T/n -type f | wc -l; xxd -s 4194300 -l 8 sizes/9MiB; readlink -f text/../nested; tail -c 5 text/utf8.txt; pwd"),
    sh("tree", "tree -a --noreport $D/nested; tree -d -i $D/code --noreport; tree -s -J $D/text | jq '.[0].contents | length'"),
    sh("vim", "vim.tiny -u NONE -es '+/changed/' '+.print' '+$=' +q! $D/text/beta.txt; vim.tiny -u NONE -es '+%s/warm/cold/ge' \"+w! $T/out\" +q! $D/text/alpha.txt; sha256sum <$T/out; cd $D/text && vim.tiny -u NONE -es '+1read crlf.txt' '+%print' +q! no-newline.txt"),
    sh("vim-recover-refused", "vim.tiny -u NONE -es '+1s/^/x/' '+w!' +q! $D/text/no-newline.txt >/dev/null 2>&1; cat $D/text/no-newline.txt; ls -a $D/text | grep -c swp",
       exit=1, s3_only="the last line has no newline0\n"),
    sh("ed", "printf '/changed/p\\n$=\\n1,3w %s/out\\nq\\n' $T | ed -s $D/text/beta.txt; cat $T/out; printf 'r %s/text/crlf.txt\\n,n\\nQ\\n' $D | ed -s $D/one-byte"),
    sh("less-more", "less -F $D/text/crlf.txt </dev/null | od -c; LESSOPEN='|cat %s' less $D/text/crlf.txt | head -n 1; more $D/text/utf8.txt | tail -n 1; more -d $D/text/crlf.txt | cat"),
    sh("xxd", "xxd -s 4194290 -l 48 $D/sizes/9MiB; xxd -p $D/sizes/4095 | xxd -r -p | cmp - $D/sizes/4095 && echo same; xxd -s -16 $D/sizes/64KiB; cat $D/sizes/64KiB | xxd -s +100 -l 4"),
    sh("pv-sponge", "pv -q $D/sizes/9MiB | sha256sum; sponge $T/out <$D/text/crlf.txt && cmp $T/out $D/text/crlf.txt && echo same; ifne cat <$D/one-byte; chronic cat $D/text/crlf.txt; errno ENOENT; combine $D/text/left.sorted and $D/text/left.sorted | sha256sum"),
    sh("datamash", "datamash -t , --header-in count 1 unique 2 <$D/data/table.csv; datamash -W -s groupby 2 count 1 <$D/text/left.sorted; datamash sum 1 median 1 <$D/text/numbers.txt"),
    sh("zgrep-zdiff", "zgrep -c warm $D/archives/notes.gz; zcmp $D/archives/notes.gz $D/archives/notes.gz && echo same; xzgrep -c warm $D/archives/notes.xz; bzgrep -c warm $D/archives/notes.bz2; zstdgrep -c warm $D/archives/alpha.zst; zless $D/archives/notes.gz | sha256sum"),
]
