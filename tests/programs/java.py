"""Java: class path and jar in the mapping, java.io, java.nio files and channels, a child process."""

from worlds import sh

QUICK = "java -Xshare:auto -XX:TieredStopAtLevel=1 -XX:+UseSerialGC"

PROGRAMS = [
    sh("java-files", f"{QUICK} -cp $D/code/java Reader $D"),
    sh("java-channels", f"{QUICK} -cp $D/code/java/reader.jar Channels $D"),
    sh("java-jar", f"{QUICK} -jar $D/code/java/reader.jar $D | tail -n 4; cd $D/code/java && {QUICK} -cp '*' Reader $D | head -n 3; jar tf $D/code/java/reader.jar | sort"),
    sh("java-source", f"cd $D/code/java && {QUICK} Reader.java $D | tail -n 2; javac -d $T Reader.java && ls $T | sort | head -n 3; javap -cp $D/code/java Reader | head -n 3"),
]
