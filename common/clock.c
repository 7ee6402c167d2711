#include "common/clock.h"

#include <time.h>

static int64_t held_ms = -1;

static int64_t read_ms(clockid_t which)
{
    struct timespec now;
    clock_gettime(which, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t clock_monotonic_ms(void)
{
    return held_ms >= 0 ? held_ms : read_ms(CLOCK_MONOTONIC);
}

int64_t clock_wall_s(void)
{
    return held_ms >= 0 ? held_ms / 1000 : read_ms(CLOCK_REALTIME) / 1000;
}

void clock_hold(int64_t now_ms)
{
    held_ms = now_ms;
}
