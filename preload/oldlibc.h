/* Included before everything else in every file of the library: binds it to symbol versions that
 * glibc 2.17 has, so that one build loads wherever that or a newer one runs. scripts/check-library
 * looks at the result. */
#ifndef WARMPATH_PRELOAD_OLDLIBC_H
#define WARMPATH_PRELOAD_OLDLIBC_H

#include <features.h>

/* 2.34 moved them from libdl to libc and gave them new versions; libc has the old ones as well, and
 * the library asks for libdl.so.2, where they were before. */
#if defined(__x86_64__)
#define OLD_VERSION "GLIBC_2.2.5"
#elif defined(__aarch64__)
#define OLD_VERSION "GLIBC_2.17"
#endif
__asm__(".symver dlsym,dlsym@" OLD_VERSION);
__asm__(".symver dladdr,dladdr@" OLD_VERSION);
__asm__(".symver dlclose,dlclose@" OLD_VERSION);
#if defined(__x86_64__)
__asm__(".symver dlinfo,dlinfo@GLIBC_2.3.3");
#else
__asm__(".symver dlinfo,dlinfo@" OLD_VERSION);
#endif

/* 2.38 gave scanf and strtol of C23 names of their own. */
#undef __GLIBC_USE_C2X_STRTOL
#define __GLIBC_USE_C2X_STRTOL 0
#undef __GLIBC_USE_C23_STRTOL
#define __GLIBC_USE_C23_STRTOL 0

#endif
