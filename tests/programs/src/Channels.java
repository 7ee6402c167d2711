/* java.nio channels: positional reads, maps, transfers, many threads, a child with redirected input. */
import java.io.*;
import java.nio.*;
import java.nio.channels.*;
import java.nio.file.*;
import java.security.MessageDigest;
import java.util.*;
import java.util.concurrent.*;

public class Channels {
    static String digest(ByteBuffer data) throws Exception {
        MessageDigest d = MessageDigest.getInstance("SHA-256");
        int n = data.remaining();
        d.update(data);
        return n + " " + HexFormat.of().formatHex(d.digest()).substring(0, 16);
    }

    public static void main(String[] args) throws Exception {
        Path big = Path.of(args[0], "sizes/9MiB"), copy = Path.of(System.getenv("T"), "copy");
        try (FileChannel in = FileChannel.open(big, StandardOpenOption.READ)) {
            ByteBuffer direct = ByteBuffer.allocateDirect(70000), heap = ByteBuffer.allocate(5000);
            System.out.println(in.read(direct, 4190000) + " " + digest(direct.flip()));
            in.position(1000);
            System.out.println(in.read(new ByteBuffer[] {heap, direct.clear()}) + " " + in.position() + " " + digest(heap.flip()) + " " + digest(direct.flip()));
            System.out.println(in.read(heap.clear(), in.size()) + " " + in.size());
            MappedByteBuffer map = in.map(FileChannel.MapMode.READ_ONLY, 0, in.size());
            System.out.println(digest(map.load()));
            System.out.println(digest(in.map(FileChannel.MapMode.READ_ONLY, 4194299, 77)));
            try (FileChannel out = FileChannel.open(copy, StandardOpenOption.CREATE, StandardOpenOption.WRITE, StandardOpenOption.READ)) {
                System.out.println(in.transferTo(1, 9_000_000, out) + " " + out.position(0).transferFrom(in.position(10), 0, 5000) + " " + in.position());
                System.out.println(digest(out.map(FileChannel.MapMode.READ_ONLY, 0, out.size())));
            }
            try (FileLock lock = in.lock(0, 10, true)) {
                System.out.println("locked " + lock.isShared());
            }
        }
        try (AsynchronousFileChannel later = AsynchronousFileChannel.open(big, StandardOpenOption.READ)) {
            ByteBuffer some = ByteBuffer.allocate(3000);
            System.out.println(later.read(some, 4194000).get() + " " + digest(some.flip()));
        }
        ExecutorService pool = Executors.newFixedThreadPool(8);
        List<Future<String>> results = new ArrayList<>();
        for (int n = 0; n < 60; n++) {
            int number = n;
            results.add(pool.submit(() -> {
                try (FileChannel in = FileChannel.open(big)) {
                    ByteBuffer some = ByteBuffer.allocate(100_000);
                    in.read(some, number * 150_000L);
                    return digest(some.flip()) + Files.readString(Path.of(args[0], String.format("many/file-%03d.txt", number)));
                }
            }));
        }
        for (Future<String> result : results)
            System.out.print(result.get());
        pool.shutdown();
        Process child = new ProcessBuilder("cat").redirectInput(new File(args[0], "text/crlf.txt")).directory(new File(args[0], "nested")).start();
        System.out.println(Arrays.toString(child.getInputStream().readAllBytes()) + " " + child.waitFor());
        Process where = new ProcessBuilder("sh", "-c", "pwd; cat a.txt").directory(new File(args[0], "nested")).start();
        System.out.println(new String(where.getInputStream().readAllBytes()) + where.waitFor());
        try (Socket socket = new Socket()) {
            socket.run(big);
        }
    }

    /* transferTo() to a socket takes sendfile() in the kernel. */
    static class Socket implements AutoCloseable {
        final ServerSocketChannel server = ServerSocketChannel.open().bind(new java.net.InetSocketAddress("127.0.0.1", 0));

        Socket() throws IOException {}

        void run(Path file) throws Exception {
            Thread sender = new Thread(() -> {
                try (SocketChannel to = SocketChannel.open(server.getLocalAddress()); FileChannel in = FileChannel.open(file)) {
                    for (long at = 0; at < in.size(); )
                        at += in.transferTo(at, in.size() - at, to);
                } catch (IOException e) {
                    System.out.println(e);
                }
            });
            sender.start();
            try (SocketChannel from = server.accept()) {
                byte[] all = from.socket().getInputStream().readAllBytes();
                System.out.println("sent " + digest(ByteBuffer.wrap(all)));
            }
            sender.join();
        }

        public void close() throws IOException {
            server.close();
        }
    }
}
