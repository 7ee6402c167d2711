/* The one door to time, so that a test can hold it. */
#ifndef WARMPATH_CLOCK_H
#define WARMPATH_CLOCK_H

#include <stdint.h>

/* Milliseconds since an arbitrary start; never goes back. */
int64_t clock_monotonic_ms(void);

/* Seconds since 1970, UTC. */
int64_t clock_wall_s(void);

/* Test only: fix both clocks (milliseconds); a negative value releases them. */
void clock_hold(int64_t now_ms);

#endif
