#include "preload/span.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

int span_place(const struct span *s, const struct object *o, uint64_t index, int fd, uintptr_t from,
               uintptr_t to)
{
    uintptr_t block = span_address(s, o, index);
    uintptr_t block_end = page_up(block + object_block_len(o, index));
    if (from < block)
        from = block;
    if (to > block_end)
        to = block_end;
    if (from >= to)
        return 0;
    long at = syscall(SYS_mmap, from, to - from, s->protection, s->flags | MAP_FIXED, fd,
                      (off_t)(from - block));
    return at == -1 ? -errno : 0;
}
