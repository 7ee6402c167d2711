/* The one door to time. */
#ifndef WARMPATH_CLOCK_H
#define WARMPATH_CLOCK_H

#include <stdint.h>

/* Time since an arbitrary start; never goes back. */
int64_t clock_monotonic_ms(void);
int64_t clock_monotonic_ns(void);

/* Seconds since 1970, UTC. */
int64_t clock_wall_s(void);

#endif
