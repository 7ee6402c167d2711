"""Compilers and build tools on sources, headers, archives and rules that lie in the mapping."""

from worlds import sh

PROGRAMS = [
    sh("gcc", "gcc -I $D/code/include -o $T/hello $D/code/hello.c && $T/hello; gcc -E -P -I $D/code/include $D/code/hello.c | tail -n 1"),
    sh("gcc-link", "gcc -o $T/hello $D/code/hello.o && $T/hello; gcc -o $T/again -Wl,--whole-archive $D/code/libhello.a -Wl,--no-whole-archive && $T/again; gcc -o $T/third -L $D/code -Wl,--undefined=main -lhello && $T/third"),
    sh("gcc-in-place", "cd $D/code && gcc -Iinclude -c hello.c -o $T/x.o && nm $T/x.o; gcc -MM -Iinclude hello.c; gcc -x c - -I$D/code/include -o $T/y <hello.c && $T/y"),
    sh("gcc-errors", "cp $D/code/hello.c $T/bad.c && echo '#include \"none.h\"' >>$T/bad.c && gcc -I $D/code/include -I $D/none -c $T/bad.c -o $T/b.o 2>&1 | grep -c 'No such file'; gcc -c $D/code/none.c 2>&1 | grep -c 'No such file'"),
    sh("gxx", "g++ -O1 -o $T/shape $D/code/cpp/main.cpp && $T/shape; g++ -M $D/code/cpp/main.cpp | tr ' ' '\\n' | grep hpp"),
    sh("gxx-lto-pch", "cp $D/code/cpp/shape.hpp $T/local.hpp; g++ -iquote $D/code/cpp -flto -O2 -o $T/shape $D/code/cpp/main.cpp && $T/shape"),
    sh("cpp-include-next", "printf '#include <hello.h>\\nHELLO\\n' | cpp -P -I $D/code/include; cpp -P -include $D/code/include/hello.h -imacros $D/code/include/hello.h -iquote $D/code/include $D/code/hello.c | tail -n 1"),
    sh("make", "make -s -f $D/code/Makefile D=$D; make -s -C $D/code D=$D | tail -n 1"),
    sh("make-out-of-tree", "printf 'VPATH = $(D)/code\\nCPPFLAGS = -I$(D)/code/include\\nhello: hello.o\\n' >Makefile && make -s D=$D && ./hello && touch -d 2001-01-01 hello.o && make D=$D | grep -c hello.c; make -s D=$D && make -q D=$D && echo fresh"),
    sh("cmake", "cmake -S $D/code/cpp -B $T/build | grep headers && cmake --build $T/build >$T/log && $T/build/shape"),
    sh("cmake-script", "cmake -E sha256sum $D/sizes/9MiB $D/empty; cmake -E cat $D/text/crlf.txt; cmake -E compare_files $D/text/alpha.txt $D/text/beta.txt || echo differ; cmake -E copy_directory $D/nested $T/n && find n -type f | sort; cd $T && cmake -E tar tf $D/archives/bundle.tar.gz | sort | head -n 3"),
    sh("as-ld-objcopy", "gcc -S -I $D/code/include -o $T/x.s $D/code/hello.c && as -o $T/x.o $T/x.s && nm $T/x.o; ld -r -o $T/both.o $D/code/hello.o && nm $T/both.o; objcopy -O binary -j .rodata $D/code/hello.o $T/text && od -c $T/text"),
    sh("binutils", "nm $D/code/libhello.a; readelf -h $D/code/hello.o; objdump -d $D/code/hello.o | tail -n 4; size $D/code/hello.o | tail -n 1 | awk '{ print $1 }'; ar t $D/code/libhello.a; ar p $D/code/libhello.a | cmp - $D/code/hello.o && echo same; strip -o $T/s.o $D/code/hello.o && nm $T/s.o 2>&1 | grep -c 'no symbols'"),
    sh("m4", "echo 'area(5)' | m4 $D/code/m4/defs.m4 -; echo 'include(defs.m4)area(4)' | m4 -I $D/code/m4; m4 -P $D/text/no-newline.txt; m4 $D/none 2>&1 | grep -c 'No such file'"),
]
