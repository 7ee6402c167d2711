"""Perl, Ruby, PHP, Lua, Tcl, and the other awks: files, directories, modules by path."""

from worlds import script, sh

perl, ruby, php, lua, tcl, zsh = (script(kind) for kind in ("perl", "ruby", "php", "lua", "tcl", "zsh"))

PROGRAMS = [
    perl("perl-io", r"""
        use strict; use Fcntl qw(:seek :flock :mode); use Digest::SHA;
        my $D = $ENV{D};
        open my $f, '<:raw', "$D/sizes/9MiB" or die; sysseek $f, 4194300, SEEK_SET; sysread $f, my $b, 5000; print length $b, ' ', Digest::SHA::sha256_hex($b), ' ', sysseek($f, 0, SEEK_CUR), "\n";
        seek $f, -10, SEEK_END; print read($f, $b, 100), ' ', eof $f ? 'eof' : 'more', ' ', tell $f, "\n"; print flock($f, LOCK_SH) ? "locked\n" : "$!\n";
        print Digest::SHA->new(256)->addfile("$D/sizes/4MiB+1")->hexdigest, "\n";
        open $f, '<:encoding(UTF-8)', "$D/text/utf8.txt" or die; my $n = 0; while (<$f>) { $n += length } print "$n $.\n";
        open my $g, '<&', $f or die; open my $h, '<&=', fileno $g or die; seek $h, 0, 0; print length(<$h>), "\n";
        { local $/ = \1000; open $f, '<', "$D/sizes/4095"; my @parts = map { length } <$f>; print "@parts\n" }
        open $f, '<', "$D/none" or print "$!\n"; opendir my $d, "$D/one-byte" or print "$!\n";
        my @s = stat "$D/one-byte"; print "$s[7] ", S_IMODE($s[2]), ' ', -M _ >= 0, -r _ ? 'r' : '', -f _ ? 'f' : '', -d "$D/text" ? 'd' : '', -e "$D/none" ? 'e' : '', -z "$D/empty" ? 'z' : '', -T "$D/text/alpha.txt" ? 'T' : '', -B "$D/sizes/64KiB" ? 'B' : '', "\n";
        @ARGV = glob "$D/nested/*.txt"; while (<>) { print "$ARGV: $_" }
    """),
    perl("perl-modules-and-trees", r"""
        use strict; use File::Find; use File::Copy; use File::Spec; use Cwd qw(getcwd realpath); use File::Basename; use File::Path; use File::Compare; use FindBin;
        my $D = $ENV{D}; my @found;
        find({ wanted => sub { push @found, $File::Find::name if -f }, no_chdir => 1 }, "$D/nested"); print join("\n", sort @found), "\n"; @found = ();
        find(sub { push @found, "$_ " . -s if /leaf/ }, "$D/nested"); print join(' ', sort @found), "\n";
        copy("$D/sizes/9MiB", "$ENV{T}/c") or die; print compare("$ENV{T}/c", "$D/sizes/9MiB"), "\n";
        chdir "$D/nested/a" or die; print getcwd, ' ', realpath('../..'), "\n"; system 'cat leaf-a.txt'; print `ls`;
        unshift @INC, "$D/code/perl"; require Shape; print Shape::area(3), ' ', scalar <Shape::DATA>; print $INC{'Shape.pm'}, "\n";
        my $r = do "$D/code/perl/Shape.pm"; print "$r\n"; opendir my $d, "$D/nested"; my @n = readdir $d; rewinddir $d; my @m = readdir $d; print "@n" eq "@m" ? "same\n" : "other\n";
        if (my $pid = fork) { waitpid $pid, 0; print "child $?\n" } else { open my $f, '<', "$D/one-byte"; exit(<$f> == 1 ? 3 : 4) }
        exec 'head', '-n', '1', "$D/text/alpha.txt";
    """),
    sh("perl-command-line", "perl -lne 'END { print $. }' $D/text/alpha.txt $D/text/beta.txt; perl -ne 'print \"$ARGV $.\\n\" if eof; close ARGV if eof' $D/text/*.txt; perl -pe 's/\\r//' <$D/text/crlf.txt; perl -MMIME::Base64 -0777 -ne 'print length encode_base64($_)' $D/sizes/9MiB; perl -I$D/code/perl -MShape -e 'print Shape::area(1)'; perl -e 'require \"$ENV{D}/code/perl/Shape.pm\"; print 1; print -s $_, \" \" for <$ENV{D}/sizes/*>'"),
    ruby("ruby-io", r"""
        require 'digest'; require 'json'; require 'zlib'
        D = ENV['D']
        def err; yield rescue $!.class end
        puts Digest::SHA256.file("#{D}/sizes/9MiB").hexdigest, File.read("#{D}/text/crlf.txt").inspect, File.readlines("#{D}/text/alpha.txt").size
        File.open("#{D}/sizes/9MiB", 'rb') { |f| f.seek(4194300); p f.read(12).unpack1('H*'), f.pos, f.pread(5, 9437180).bytes, f.size, f.eof?; f.seek(-3, IO::SEEK_END); p f.sysread(100).bytesize rescue p $!.class; p f.flock(File::LOCK_SH) }
        p Dir.children("#{D}/nested").sort, Dir.glob("#{D}/**/*leaf*.txt").size, Dir.exist?("#{D}/text"), Dir.entries("#{D}/marker").sort, Dir.each_child("#{D}/pages").count
        s = File.stat("#{D}/one-byte"); p s.size, s.mode.to_s(8), s.file?, s.readable?, File.zero?("#{D}/empty"), File.identical?("#{D}/empty", "#{D}/text/../empty")
        p err { File.read("#{D}/none") }, err { File.read("#{D}/text") }, err { Dir.children("#{D}/one-byte") }, err { File.readlink("#{D}/one-byte") }
        p JSON.load_file("#{D}/data/document.json")['items'].size, Zlib::GzipReader.open("#{D}/archives/notes.gz") { |g| g.read.size }, File.realpath("#{D}/text/../nested/a")
        p IO.copy_stream("#{D}/sizes/9MiB", "#{ENV['T']}/copy"), File.size("#{ENV['T']}/copy"), IO.binread("#{D}/sizes/4095", 5, 4000).bytes
        p 8.times.map { |n| Thread.new { File.open("#{D}/sizes/9MiB") { |f| f.pread(100_000, n * 1_000_000) }.sum } }.map(&:value)
    """),
    ruby("ruby-processes-and-modules", r"""
        require 'fileutils'; require 'find'; require 'pathname'; require 'open3'
        D, T = ENV['D'], ENV['T']
        $stdout.sync = true
        require "#{D}/code/ruby/shape"; p Shape.area(2), cube(3); $: << "#{D}/code/ruby"; p require('deep/cube'), load("#{D}/code/ruby/deep/cube.rb")
        FileUtils.cp_r("#{D}/nested", T); p Find.find("#{T}/nested").count, FileUtils.compare_file("#{D}/nested/a.txt", "#{T}/nested/a.txt"), Find.find("#{D}/nested").map { |x| x.delete_prefix(D) }.sort
        p Open3.capture2('cat', stdin_data: 'x')[0], IO.popen(['cat', "#{D}/one-byte"]).read, `cat #{D}/text/crlf.txt`
        File.open("#{D}/text/crlf.txt") { |f| f.gets; system('cat', in: f); puts }
        p Process.wait2(spawn('sh', '-c', 'pwd; cat a.txt', chdir: "#{D}/nested"))[1].exitstatus
        Dir.chdir("#{D}/nested/a") { p Dir.pwd, File.read('leaf-a.txt').size, Dir['*'].sort }
        f = File.open("#{D}/text/alpha.txt"); f.gets; pid = fork { print f.gets; exit! 5 }; p Process.wait2(pid)[1].exitstatus
        exec 'head', '-c', '4', "#{D}/text/alpha.txt"
    """),
    php("php", r"""
        <?php
        $D = getenv('D'); $T = getenv('T');
        echo hash_file('sha256', "$D/sizes/9MiB"), ' ', md5_file("$D/empty"), "\n", json_encode(file("$D/text/crlf.txt")), "\n";
        $f = fopen("$D/sizes/9MiB", 'rb'); fseek($f, 4194300); echo bin2hex(fread($f, 12)), ' ', ftell($f), ' ', fstat($f)['size'], ' ', feof($f) ? 1 : 0, ' ', flock($f, LOCK_SH) ? 1 : 0, "\n";
        $n = scandir("$D/nested"); sort($n); echo implode(' ', $n), ' ', count(glob("$D/many/*")), ' ', is_dir("$D/text") ? 'd' : '', is_file("$D/text") ? 'f' : '', file_exists("$D/none") ? 'e' : '', filesize("$D/one-byte"), ' ', decoct(fileperms("$D/one-byte")), ' ', str_replace($D, '', realpath("$D/text/../nested")), "\n";
        echo json_encode([@file_get_contents("$D/none"), @scandir("$D/one-byte"), strlen(file_get_contents("$D/sizes/4MiB+1")), file_get_contents("$D/text/alpha.txt", false, null, 100, 20)]), "\n";
        print_r(require "$D/code/php/shape.php"); echo area(3), ' ', copy("$D/sizes/9MiB", "$T/c") ? filesize("$T/c") : 'no', "\n";
        $i = new RecursiveIteratorIterator(new RecursiveDirectoryIterator("$D/nested", FilesystemIterator::SKIP_DOTS)); $names = []; foreach ($i as $x) $names[] = substr($x, strlen($D)) . $x->getSize(); sort($names); echo implode(' ', $names), "\n";
        chdir("$D/nested/a"); echo getcwd(), ' ', file_get_contents('leaf-a.txt'), shell_exec('ls'), gzfile("$D/archives/notes.gz")[0]; readfile("$D/text/crlf.txt"); passthru("cat $D/one-byte"); echo "\n", count(file("compress.zlib://$D/archives/notes.gz")), ' ', json_encode(parse_ini_file("$D/data/settings.ini", true)), "\n";
        $c = fopen("$D/data/table.csv", 'r'); $sum = 0; while ($row = fgetcsv($c, 0, ',', '"', '')) $sum += (float) $row[2]; printf("%.4f\n", $sum);
        $p = proc_open(['cat'], [0 => fopen("$D/text/crlf.txt", 'r'), 1 => ['pipe', 'w']], $pipes, "$D/nested"); echo stream_get_contents($pipes[1]), proc_close($p), "\n";
    """),
    sh("php-in-the-tree", "php -r 'require getenv(\"D\") . \"/code/php/shape.php\"; echo area(2), PHP_EOL;'; cd $D/code/php && php -r 'include \"shape.php\"; echo area(1), PHP_EOL;'; php -d include_path=$D/code/php -r 'print_r(include \"shape.php\");'; php -l $D/code/php/shape.php | sed 's/ in .*//'; php -w $D/code/php/shape.php"),
    lua("lua", r"""
        local D = os.getenv('D')
        local f = assert(io.open(D .. '/sizes/9MiB', 'rb')); print(f:seek('end'), f:seek('set', 4194300), #f:read(100), f:seek()); f:seek('set', 0); print(#f:read('a')); f:close()
        for line in io.lines(D .. '/text/crlf.txt') do print(#line, line) end
        print(io.open(D .. '/none')); local d = io.open(D .. '/text'); print(d and d:read(1))
        f = io.open(D .. '/text/numbers.txt'); print(f:read('n', 'n', 'l', 'L')); f:setvbuf('full', 100); print(f:read('n'), f:seek('cur')); f:close()
        package.path = D .. '/code/lua/?.lua'; print(require('shape').area(3)); print(dofile(D .. '/code/lua/shape.lua').area(2), loadfile(D .. '/none'))
        io.input(D .. '/one-byte'); print(io.read()); local p = io.popen('cat ' .. D .. '/text/crlf.txt'); print(p:read('a'), p:close()); print(os.execute('test -f ' .. D .. '/empty'), os.rename(D .. '/none', D .. '/x') == nil)
    """),
    tcl("tcl", r"""
        set D $env(D)
        set f [open $D/sizes/9MiB rb]; seek $f 4194300; puts [binary encode hex [read $f 12]]; puts [tell $f]; seek $f -5 end; puts [string length [read $f]][eof $f]; close $f
        puts [lsort [glob -directory $D/nested -tails *]]; puts [file size $D/one-byte][file isdirectory $D/text][file exists $D/none][file type $D/empty]
        puts [file normalize $D/text/../nested]; puts [catch {open $D/none} why]; puts [string range $why end-30 end]; source $D/code/tcl/shape.tcl; puts [area 3]
        set f [open $D/text/utf8.txt]; fconfigure $f -encoding utf-8; puts [string length [gets $f]]; close $f; file copy $D/nested $env(T)/n; puts [llength [glob $env(T)/n/*]]
        puts [exec cat < $D/text/crlf.txt]; puts [exec cat $D/one-byte]; cd $D/nested/a; puts [pwd][lsort [glob *]]; set f [open $D/text/alpha.txt]; puts [exec head -n 1 <@ $f]; fcopy $f stdout -size 10; puts {}
    """),
    sh("awks", "for a in gawk mawk 'busybox awk'; do $a '{ n += NF } END { print n, NR, FILENAME }' $D/text/alpha.txt; $a -f $D/code/hello.awk $D/text/alpha.txt | sort | sha256sum; $a 'BEGIN { while ((getline l < ARGV[1]) > 0) n++; print n }' $D/text/beta.txt; $a -F , 'NR == FNR { c[$2]++; next } { d++ } END { print length(c), d }' $D/data/table.csv $D/text/alpha.txt; done"),
    sh("gawk-extensions", "gawk 'BEGINFILE { if (ERRNO) { print \"no\"; nextfile } } ENDFILE { print FNR }' $D/none $D/text/alpha.txt $D/one-byte; gawk -l filefuncs 'BEGIN { print stat(ENVIRON[\"D\"] \"/one-byte\", s), s[\"size\"], s[\"type\"] }'; gawk -l readfile 'BEGIN { print length(readfile(ENVIRON[\"D\"] \"/text/alpha.txt\")) }'; gawk -i $D/code/hello.awk 'BEGIN { exit }'; gawk '@include \"/dev/null\"; BEGIN { \"cat \" ENVIRON[\"D\"] \"/one-byte\" | getline x; print x }'"),
    zsh("zsh", "cd $D && print -l nested/**/*.txt(.) | sort; print -l *(/on) ; print sizes/*(L+4000000); wc -c <text/alpha.txt; cat <text/crlf.txt <one-byte; zmodload zsh/stat zsh/mapfile zsh/files; zstat +size sizes/9MiB; print ${#mapfile[$D/text/alpha.txt]}; [[ -f one-byte && -d text && ! -e none ]] && echo tests; x=$(<text/crlf.txt); print ${#x}; cat =(cat one-byte) <(cat one-byte); exec 5<text/left.sorted; read -u 5 a; print $a; source code/library.sh; greet zsh; pwd; (cd nested/a; pwd -P); while read -r l; do n=$((n+1)); done <text/alpha.txt; print $n; print names/*(D[1,3])"),
]
