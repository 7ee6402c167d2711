/* libc's headers that declare what symbols.def names, and the types that its rows use. */
#ifndef WARMPATH_PRELOAD_LIBC_H
#define WARMPATH_PRELOAD_LIBC_H

#include <aio.h>
#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <fts.h>
#include <ftw.h>
#include <glob.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/fanotify.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/sendfile.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/xattr.h>
#include <unistd.h>
#include <utime.h>
#include <wchar.h>

/* Macros of <stdio.h> where the compiler optimises. */
#undef fread_unlocked
#undef fwrite_unlocked

struct open_how;

typedef int scandir_filter(const struct dirent *);
typedef int scandir_compare(const struct dirent **, const struct dirent **);
typedef int fts_compare(const FTSENT **, const FTSENT **);

#endif
