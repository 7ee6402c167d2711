/* System calls by number, past every hook. The library's own syscall() is this too: the linker sees
 * to that (--wrap), so that no part of it comes back through the hooks unawares. */
#ifndef WARMPATH_PRELOAD_RAW_H
#define WARMPATH_PRELOAD_RAW_H

/* As syscall(): -1 and errno. */
long raw_syscall(long number, long a0, long a1, long a2, long a3, long a4, long a5);

#define RAW_DOORS      512 /* numbers that hook_syscall.c's table covers; the kernel's end below */
#define RAW_DOOR_BYTES 16

/* What the exported syscall() jumps to where the table has an entry. */
long syscall_by_hook(long number, long a0, long a1, long a2, long a3, long a4, long a5);

#endif
