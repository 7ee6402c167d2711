/* io_uring. A ring's requests reach the kernel without passing through libc, so none is set up
 * while something is mapped: ENOSYS, as from a kernel without it, and programs take plain calls. */
#ifndef WARMPATH_PRELOAD_RING_H
#define WARMPATH_PRELOAD_RING_H

/* io_uring_setup by number, as syscall(): -1 and errno. Says once what it refused. */
long ring_setup(long entries, long parameters);

#endif
