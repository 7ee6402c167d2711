/* java.io and java.nio.file: whole files, walks, attributes, archives, resources beside the class. */
import java.io.*;
import java.nio.charset.StandardCharsets;
import java.nio.file.*;
import java.nio.file.attribute.*;
import java.security.MessageDigest;
import java.util.*;
import java.util.stream.*;
import java.util.zip.*;

public class Reader {
    static String digest(byte[] data) throws Exception {
        return data.length + " " + HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(data)).substring(0, 16);
    }

    static void attempt(String what, Callable call) {
        try {
            System.out.println(what + ": " + call.call());
        } catch (Exception e) {
            System.out.println(what + ": " + e.getClass().getSimpleName());
        }
    }

    interface Callable {
        Object call() throws Exception;
    }

    public static void main(String[] args) throws Exception {
        Path root = Path.of(args[0]);
        for (String name : List.of("empty", "one-byte", "sizes/4MiB+1", "text/utf8.txt"))
            System.out.println(name + " " + digest(Files.readAllBytes(root.resolve(name))));
        System.out.println(Files.readAllLines(root.resolve("text/crlf.txt")));
        try (Stream<String> lines = Files.lines(root.resolve("text/alpha.txt"))) {
            System.out.println(lines.filter(line -> line.startsWith("warm")).count());
        }
        try (Stream<Path> walk = Files.walk(root.resolve("nested"))) {
            System.out.println(walk.map(p -> root.relativize(p).toString()).sorted().collect(Collectors.toList()));
        }
        try (DirectoryStream<Path> some = Files.newDirectoryStream(root.resolve("many"), "file-00*")) {
            List<String> names = new ArrayList<>();
            some.forEach(p -> names.add(p.getFileName().toString()));
            Collections.sort(names);
            System.out.println(names);
        }
        PosixFileAttributes a = Files.readAttributes(root.resolve("one-byte"), PosixFileAttributes.class);
        System.out.println(a.size() + " " + a.isRegularFile() + " " + PosixFilePermissions.toString(a.permissions()) + " " + a.lastModifiedTime().toMillis() / 1000 + " "
            + (a.fileKey() != null) + " " + Files.isSameFile(root.resolve("one-byte"), root.resolve("text/../one-byte")));
        System.out.println(root.relativize(root.resolve("text/../nested/a.txt").toRealPath()) + " " + new File(args[0], "text").list().length + " "
            + new File(args[0], "none").exists() + " " + new File(args[0], "text/../empty").getCanonicalFile().getName());
        try (RandomAccessFile file = new RandomAccessFile(new File(args[0], "sizes/9MiB"), "r")) {
            file.seek(4194300);
            byte[] some = new byte[100];
            file.readFully(some);
            System.out.println(digest(some) + " " + file.getFilePointer() + " " + file.length());
        }
        try (BufferedReader in = new BufferedReader(new InputStreamReader(new FileInputStream(new File(args[0], "text/utf8.txt")), StandardCharsets.UTF_8))) {
            System.out.println(in.readLine().length() + " " + in.lines().count());
        }
        try (FileInputStream in = new FileInputStream(new File(args[0], "sizes/64KiB"))) {
            System.out.println(in.available() + " " + in.skip(60000) + " " + in.readAllBytes().length + " " + in.read());
        }
        try (ZipFile zip = new ZipFile(new File(args[0], "archives/bundle.zip"))) {
            System.out.println(zip.size() + " " + digest(zip.getInputStream(zip.getEntry("text/alpha.txt")).readAllBytes()));
        }
        try (GZIPInputStream in = new GZIPInputStream(new FileInputStream(new File(args[0], "archives/notes.gz")))) {
            System.out.println(digest(in.readAllBytes()));
        }
        Properties words = new Properties();
        words.load(Reader.class.getResourceAsStream("/words.properties"));
        System.out.println(words);
        attempt("missing", () -> Files.size(root.resolve("none")));
        attempt("not a directory", () -> Files.list(root.resolve("one-byte")).count());
        attempt("a directory", () -> Files.readAllBytes(root.resolve("text")).length);
        attempt("copied", () -> digest(Files.readAllBytes(Files.copy(root.resolve("sizes/9MiB"), Path.of(System.getenv("T"), "copy")))));
    }
}
