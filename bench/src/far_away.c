/*
 * far_away PORT DELAY_MS
 *
 * Makes the server at 127.0.0.1:PORT look DELAY_MS farther away: listens on a
 * port of its own, prints it, and passes every connection on. What a client
 * sends waits DELAY_MS on its way, the first of a connection twice as long, as
 * its handshake would have taken a round trip; answers pass at once, by splice,
 * so that their bytes cost next to nothing. It ends when its stdin does.
 *
 * A client that sends a request only after the answer to the one before
 * (HTTP/1.1 without pipelining) sees just what a longer way would show it,
 * but for TCP's slow start, which a longer way would add.
 */
#include "bench.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#define PIPE_BYTES    (1 << 20)
#define REQUEST_BYTES 65536

static uint16_t server_port;
static long delay_ms;

/* A connection; two threads hold it, and the one that ends last frees it. */
struct link {
	int client, server;
	int holders;
};

static void let_go(struct link *l)
{
	shutdown(l->client, SHUT_RDWR);
	shutdown(l->server, SHUT_RDWR);
	if (__atomic_sub_fetch(&l->holders, 1, __ATOMIC_ACQ_REL) > 0)
		return;
	close(l->client);
	close(l->server);
	free(l);
}

static void wait_ms(long ms)
{
	struct timespec t = {ms / 1000, ms % 1000 * 1000000};

	nanosleep(&t, NULL);
}

static void *pass_requests(void *arg)
{
	struct link *l = arg;
	char *request = new_buffer(REQUEST_BYTES);
	int times = 2;
	ssize_t n;

	while ((n = read(l->client, request, REQUEST_BYTES)) > 0) {
		wait_ms(times * delay_ms);
		times = 1;
		if (write(l->server, request, (size_t)n) != n)
			break;
	}
	free(request);
	let_go(l);
	return NULL;
}

static void *pass_answers(void *arg)
{
	struct link *l = arg;
	ssize_t n;
	int ends[2];

	if (pipe(ends) < 0)
		die("pipe", "answers");
	fcntl(ends[1], F_SETPIPE_SZ, PIPE_BYTES);
	while ((n = splice(l->server, NULL, ends[1], NULL, PIPE_BYTES, SPLICE_F_MOVE)) > 0) {
		while (n > 0) {
			ssize_t gone = splice(ends[0], NULL, l->client, NULL, (size_t)n, SPLICE_F_MOVE);

			if (gone <= 0)
				goto out;
			n -= gone;
		}
	}
out:
	close(ends[0]);
	close(ends[1]);
	let_go(l);
	return NULL;
}

static void *end_with_stdin(void *arg)
{
	char byte;

	(void)arg;
	while (read(0, &byte, 1) > 0)
		;
	exit(0);
}

static struct sockaddr_in loopback(uint16_t port)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return a;
}

static void begin_thread(void *(*run)(void *), void *arg)
{
	pthread_t thread;

	errno = pthread_create(&thread, NULL, run, arg);
	if (errno != 0)
		die("thread", "connection");
	pthread_detach(thread);
}

static void take(int client)
{
	struct sockaddr_in to = loopback(server_port);
	struct link *l = calloc(1, sizeof(*l));
	int on = 1;

	l->client = client;
	l->server = socket(AF_INET, SOCK_STREAM, 0);
	l->holders = 2;
	setsockopt(l->client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(l->server, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (connect(l->server, (struct sockaddr *)&to, sizeof(to)) < 0)
		die("connect", "server");
	begin_thread(pass_requests, l);
	begin_thread(pass_answers, l);
}

int main(int argc, char **argv)
{
	struct sockaddr_in own = loopback(0);
	socklen_t len = sizeof(own);
	int listener = socket(AF_INET, SOCK_STREAM, 0), client;

	if (argc != 3)
		usage("far_away PORT DELAY_MS");
	server_port = (uint16_t)parse_count(argv[1]);
	delay_ms = (long)parse_count(argv[2]);
	signal(SIGPIPE, SIG_IGN);
	if (bind(listener, (struct sockaddr *)&own, len) < 0 || listen(listener, 256) < 0 ||
	    getsockname(listener, (struct sockaddr *)&own, &len) < 0)
		die("listen", "127.0.0.1");
	printf("%d\n", ntohs(own.sin_port));
	fflush(stdout);
	begin_thread(end_with_stdin, NULL);
	while ((client = accept(listener, NULL, NULL)) >= 0)
		take(client);
	die("accept", "client");
}
