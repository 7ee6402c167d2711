/*
 * download_and_read URL BYTES FOLDER
 * download_and_read @LIST BYTES FOLDER
 *
 * The least that a reader can do that stores what it fetches and hands it to
 * another process of the same machine: threads, a plain connection each, receive
 * the object's ranges into files of one block, by way of a buffer; a second
 * process reads these files in their order, each as soon as it is complete. No
 * hash, no retry, no protocol between them but the numbers of complete blocks.
 * Leaves the files in FOLDER, which is empty before. Prints how many bytes the
 * second process read.
 *
 * A list names small objects, a URL a line, all of one server and of BYTES bytes
 * each: every one is a file and a request of its own.
 */
#include "bench.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define CONNECTIONS_MOST 16 /* to a list; half of them to one object */
#define PART_BYTES  (8u << 20) /* what one request asks for of one object */
#define BLOCK_BYTES (4u << 20)
#define CHUNK_BYTES (256u << 10)
#define PIECE_BYTES (1u << 20)
#define HEADER_BYTES 4096

/* The URL, taken apart, and what else all threads know. */
static struct {
	char host[INET_ADDRSTRLEN];
	uint16_t port;
	const char **targets; /* path and query of each object */
	uint64_t n_targets;
	uint64_t bytes;	      /* of all of them */
	uint64_t block_bytes, part_bytes;
	int connections;
	const char *folder;
	int complete; /* where numbers of complete blocks are written */
} job;

static uint64_t next_part;

static uint64_t lesser(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static void take_url(const char *url)
{
	int end = 0;

	if (sscanf(url, "http://%15[0-9.]:%" SCNu16 "%n", job.host, &job.port, &end) != 2 || url[end] != '/')
		usage("download_and_read http://ADDRESS:PORT/PATH BYTES FOLDER");
	job.targets = realloc(job.targets, (job.n_targets + 1) * sizeof(*job.targets));
	if (job.targets == NULL)
		die("memory", "URLs");
	job.targets[job.n_targets++] = url + end;
}

static void take_list(const char *path)
{
	FILE *file = fopen(path, "re");
	char *line = NULL;
	size_t room = 0;

	if (file == NULL)
		die("open", path);
	while (getline(&line, &room, file) > 0) {
		line[strcspn(line, "\n")] = '\0';
		take_url(line);
		line = NULL; /* the target is part of it */
		room = 0;
	}
	free(line);
	fclose(file);
}

static void take_job(const char *what, uint64_t bytes)
{
	if (what[0] == '@') {
		take_list(what + 1);
		job.connections = CONNECTIONS_MOST;
		job.block_bytes = job.part_bytes = bytes;
	} else {
		take_url(what);
		job.connections = CONNECTIONS_MOST / 2;
		job.block_bytes = BLOCK_BYTES;
		job.part_bytes = PART_BYTES;
	}
	job.bytes = job.n_targets * bytes;
}

static int open_block(uint64_t block, int flags)
{
	char path[PATH_MAX];
	int fd;

	snprintf(path, sizeof(path), "%s/%06" PRIu64, job.folder, block);
	fd = open(path, flags | O_CLOEXEC, 0600);
	if (fd < 0)
		die("open", path);
	return fd;
}

static int connection(void)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(job.port)};
	int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

	inet_pton(AF_INET, job.host, &to.sin_addr);
	if (connect(s, (struct sockaddr *)&to, sizeof(to)) < 0)
		die("connect", job.host);
	setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	return s;
}

/* Bytes from to end, without end, as if all objects were one. */
static void ask(int s, uint64_t from, uint64_t end)
{
	uint64_t object_bytes = job.bytes / job.n_targets, object = from / object_bytes;
	uint64_t start = object * object_bytes;
	char *text;
	int len =
	    asprintf(&text, "GET %s HTTP/1.1\r\nHost: %s:%u\r\nRange: bytes=%" PRIu64 "-%" PRIu64 "\r\n\r\n",
		     job.targets[object], job.host, job.port, from - start, end - 1 - start);

	if (len < 0 || write(s, text, (size_t)len) != len)
		die("write", "request");
	free(text);
}

/* Looks at the header before taking it, so that what is left in the socket begins with the body. */
static void skip_header(int s)
{
	char text[HEADER_BYTES + 1];
	char *end = NULL;
	ssize_t n;

	while (end == NULL) {
		n = recv(s, text, HEADER_BYTES, MSG_PEEK);
		if (n <= 0)
			die("recv", "header");
		text[n] = '\0';
		end = strstr(text, "\r\n\r\n");
		if (end == NULL && n == HEADER_BYTES)
			die("recv", "a header that is too long");
	}
	if (strncmp(text, "HTTP/1.1 206 ", 13) != 0) {
		fprintf(stderr, "not the answer to a range: %.*s\n", (int)strcspn(text, "\r"), text);
		exit(1);
	}
	n = end + 4 - text;
	if (recv(s, text, (size_t)n, MSG_WAITALL) != n)
		die("recv", "header");
}

static void receive_block(int s, char *buf, uint64_t at, uint64_t end)
{
	uint64_t block = at / job.block_bytes;
	int fd = open_block(block, O_WRONLY | O_CREAT | O_EXCL);

	for (off_t offset = 0; at < end;) {
		ssize_t n = recv(s, buf, lesser(CHUNK_BYTES, end - at), MSG_WAITALL);

		if (n <= 0)
			die("recv", "body");
		if (pwrite(fd, buf, (size_t)n, offset) != n)
			die("pwrite", job.folder);
		offset += n;
		at += (uint64_t)n;
	}
	close(fd);
	if (write(job.complete, &block, sizeof(block)) != sizeof(block))
		die("write", "block's number");
}

static void *download(void *arg)
{
	char *buf = new_buffer(CHUNK_BYTES);
	int s = connection();
	uint64_t at;

	(void)arg;
	while ((at = __atomic_fetch_add(&next_part, job.part_bytes, __ATOMIC_RELAXED)) < job.bytes) {
		uint64_t end = lesser(at + job.part_bytes, job.bytes);

		ask(s, at, end);
		skip_header(s);
		for (; at < end; at += job.block_bytes)
			receive_block(s, buf, at, lesser(at + job.block_bytes, end));
	}
	close(s);
	free(buf);
	return NULL;
}

static void download_all(void)
{
	pthread_t threads[CONNECTIONS_MOST];

	for (int i = 0; i < job.connections; i++) {
		errno = pthread_create(&threads[i], NULL, download, NULL);
		if (errno != 0)
			die("thread", "download");
	}
	for (int i = 0; i < job.connections; i++)
		pthread_join(threads[i], NULL);
}

static uint64_t read_block(uint64_t block, char *buf)
{
	int fd = open_block(block, O_RDONLY);
	uint64_t bytes = 0;
	ssize_t n;

	while ((n = pread(fd, buf, PIECE_BYTES, (off_t)bytes)) > 0)
		bytes += (uint64_t)n;
	if (n < 0)
		die("pread", job.folder);
	close(fd);
	return bytes;
}

/* Waits for this block's number; those of others that come before are remembered. */
static void await_block(int complete, char *have, uint64_t wanted)
{
	uint64_t block;

	while (!have[wanted]) {
		if (read(complete, &block, sizeof(block)) != sizeof(block)) {
			fprintf(stderr, "block %" PRIu64 " never came\n", wanted);
			exit(1);
		}
		have[block] = 1;
	}
}

static void read_all(int complete)
{
	uint64_t blocks = (job.bytes + job.block_bytes - 1) / job.block_bytes, bytes = 0;
	char *have = calloc(blocks, 1), *buf = new_buffer(PIECE_BYTES);

	if (have == NULL)
		die("memory", "blocks");
	for (uint64_t block = 0; block < blocks; block++) {
		await_block(complete, have, block);
		bytes += read_block(block, buf);
	}
	printf("{\"bytes\": %" PRIu64 "}\n", bytes);
}

int main(int argc, char **argv)
{
	int ends[2], status;
	pid_t reader;

	if (argc != 4)
		usage("download_and_read URL|@LIST BYTES FOLDER");
	take_job(argv[1], parse_count(argv[2]));
	job.folder = argv[3];
	if (pipe2(ends, O_CLOEXEC) < 0)
		die("pipe", "blocks");
	reader = fork();
	if (reader < 0)
		die("fork", "reader");
	if (reader == 0) {
		close(ends[1]); /* so that the end of the other process is seen here */
		read_all(ends[0]);
		return 0;
	}
	close(ends[0]);
	job.complete = ends[1];
	download_all();
	close(ends[1]);
	if (waitpid(reader, &status, 0) < 0)
		die("waitpid", "reader");
	return status == 0 ? 0 : 1;
}
