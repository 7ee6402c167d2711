/* Descriptors through sockets: to a child, to a program that was executed, to oneself; one offset. */
#include "case.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define MOST 4

union control {
    struct cmsghdr head;
    char bytes[CMSG_SPACE(sizeof(int) * MOST)];
};

static char byte = 'x';
static struct iovec piece = {&byte, 1};

static struct msghdr message(union control *control, const int *fds, int n)
{
    struct msghdr m = {.msg_iov = &piece, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(*control)};
    if (n > 0) {
        m.msg_controllen = CMSG_SPACE(sizeof(int) * n);
        control->head = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof(int) * n), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
        memcpy(CMSG_DATA(&control->head), fds, sizeof(int) * n);
    }
    return m;
}

static int taken(const struct msghdr *m, int *fds)
{
    struct cmsghdr *c = CMSG_FIRSTHDR(m);
    int n = c ? (int)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int)) : 0;
    if (n > 0)
        memcpy(fds, CMSG_DATA(c), sizeof(int) * n);
    return n;
}

static int receive(int socket, int *fds, int flags)
{
    union control control;
    struct msghdr m = message(&control, NULL, 0);
    return recvmsg(socket, &m, flags) < 0 ? -1 : taken(&m, fds);
}

static void send_some(int socket, const int *fds, int n)
{
    union control control;
    struct msghdr m = message(&control, fds, n);
    if (sendmsg(socket, &m, 0) != 1)
        perror("sendmsg");
}

static void look(const char *who, int fd)
{
    char text[16] = "";
    struct stat st;
    ssize_t n = read(fd, text, 10);
    printf("%s: size %ld, read %zd <%s>, at %ld, cloexec %d, mode %o\n", who, fstat(fd, &st) < 0 ? -1L : (long)st.st_size, n, text,
           (long)lseek(fd, 0, SEEK_CUR), fcntl(fd, F_GETFD), fcntl(fd, F_GETFL) & O_ACCMODE);
    fflush(stdout);
}

/* In the child: takes what comes, looks, and says so. */
static void receiver(int socket, int count)
{
    int fds[MOST];
    for (int i = 0; i < count; i++) {
        int n = receive(socket, fds, i % 2 ? MSG_CMSG_CLOEXEC : 0);
        for (int j = 0; j < n; j++)
            look("receiver", fds[j]);
        if (write(socket, "", 1) != 1)
            perror("write");
    }
    exit(0);
}

static void exchange(const char *program, const char *how)
{
    int pair[2], fds[3];
    socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
    fflush(stdout);
    if (fork() == 0) {
        char number[16];
        close(pair[0]);
        snprintf(number, sizeof(number), "%d", pair[1]);
        if (strcmp(how, "exec") == 0)
            execl(program, program, number, tree, NULL);
        receiver(pair[1], 2);
    }
    close(pair[1]);
    /* Opened after the fork: nothing but the message can tell the child. */
    fds[0] = open(at("text/alpha.txt"), O_RDONLY);
    fds[1] = open(at("sizes/9MiB"), O_RDONLY);
    fds[2] = open("/dev/null", O_RDONLY);
    lseek(fds[0], 7, SEEK_SET);
    char first[5];
    printf("%s: read %zd\n", how, read(fds[1], first, sizeof(first)));
    fflush(stdout);
    for (int i = 0; i < 2; i++) {
        send_some(pair[0], fds, i ? 1 : 3);
        if (read(pair[0], first, 1) != 1)
            perror("read");
        look("sender", fds[0]);
    }
    printf("then at %ld and %ld\n", (long)lseek(fds[0], 0, SEEK_CUR), (long)lseek(fds[1], 0, SEEK_CUR));
    for (int i = 0; i < 3; i++)
        close(fds[i]);
    close(pair[0]);
    wait(NULL);
}

static void to_oneself(void)
{
    int pair[2], fd = open(at("text/alpha.txt"), O_RDONLY), got[MOST];
    char text[8] = "";
    socketpair(AF_UNIX, SOCK_DGRAM, 0, pair);
    printf("oneself: %zd\n", read(fd, text, 3));
    send_some(pair[0], &fd, 1);
    printf("descriptors %d\n", receive(pair[1], got, MSG_PEEK));
    look("peeked", got[0]);
    printf("descriptors %d\n", receive(pair[1], got, 0));
    look("received", got[0]);
    look("own", fd);
    close(fd);
    look("received, own closed", got[0]);
}

static void several_messages(void)
{
    int pair[2], fds[2] = {open(at("text/alpha.txt"), O_RDONLY), open(at("one-byte"), O_RDONLY)}, got[MOST];
    union control controls[2], room[2];
    struct mmsghdr out[2] = {{message(&controls[0], &fds[0], 1), 0}, {message(&controls[1], &fds[1], 1), 0}};
    struct mmsghdr in[2] = {{message(&room[0], NULL, 0), 0}, {message(&room[1], NULL, 0), 0}};
    socketpair(AF_UNIX, SOCK_DGRAM, 0, pair);
    if (read(fds[0], got, 4) != 4)
        perror("read");
    printf("sent %d\n", sendmmsg(pair[0], out, 2, 0));
    int n = recvmmsg(pair[1], in, 2, MSG_CMSG_CLOEXEC, NULL);
    for (int i = 0; i < n; i++)
        if (taken(&in[i].msg_hdr, got) == 1)
            look("of several", got[0]);
    printf("then at %ld\n", (long)lseek(fds[0], 0, SEEK_CUR));
}

static void by_number(void)
{
    int pair[2], fd = open(at("text/alpha.txt"), O_RDONLY), got[MOST];
    union control control, room;
    struct msghdr out = message(&control, &fd, 1), in = message(&room, NULL, 0);
    socketpair(AF_UNIX, SOCK_DGRAM, 0, pair);
    lseek(fd, 11, SEEK_SET);
    printf("by number: %ld", syscall(SYS_sendmsg, pair[0], &out, 0));
    printf(" %ld\n", syscall(SYS_recvmsg, pair[1], &in, 0));
    if (taken(&in, got) == 1)
        look("by number", got[0]);
}

/* Another process' descriptor by its name: a new description, from the beginning. */
static void by_name(void)
{
    char name[64], text[8] = "";
    int fd = open(at("text/alpha.txt"), O_RDONLY), pair[2];
    lseek(fd, 20, SEEK_SET);
    socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
    fflush(stdout);
    if (fork() == 0) {
        struct stat st;
        close(fd);
        snprintf(name, sizeof(name), "/proc/%d/fd/%d", (int)getppid(), fd);
        int again = open(name, O_RDONLY);
        printf("by name: %d %ld", stat(name, &st), (long)st.st_size);
        printf(" %zd <%s>\n", again < 0 ? -1 : read(again, text, 6), text);
        fflush(stdout);
        _exit(0);
    }
    wait(NULL);
    printf("then at %ld\n", (long)lseek(fd, 0, SEEK_CUR));
}

int main(int argc, char **argv)
{
    tree = argv[argc - 1];
    if (argc > 2)
        receiver(atoi(argv[1]), 2);
    exchange(argv[0], "fork");
    exchange(argv[0], "exec");
    to_oneself();
    several_messages();
    by_number();
    by_name();
    return 0;
}
