/* A static program can't be served: a mapped path is simply not there for it. */
#include "case.h"

int main(int argc, char **argv)
{
    tree = argv[argc - 1];
    int fd = open(at("one-byte"), O_RDONLY);
    printf("static open: %s\n", fd < 0 ? strerrorname_np(errno) : "opened");
    return 0;
}
