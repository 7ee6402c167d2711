#include "policy/silence.h"

#define TIMES 8 /* as long as is usual */
/* A lost packet, a disk that has to look for it, a processor with thirty programs waiting for it
 * are no death: eight nodes on two cores took each other for dead 70 times with 300 and 400. */
#define FIRST_LEAST_MS 1000
#define LEAST_MS       1200

static int64_t patience_ms(int64_t usual_ms, int64_t least_ms, int64_t most_ms)
{
    int64_t ms = usual_ms * TIMES;
    return usual_ms == 0 || ms > most_ms ? most_ms : ms < least_ms ? least_ms : ms;
}

int64_t silence_first_most_ms(const struct silence *s, const struct silence *all)
{
    return patience_ms(s->first_ms ? s->first_ms : all->first_ms, FIRST_LEAST_MS,
                       SILENCE_FIRST_MOST_MS);
}

int64_t silence_most_ms(const struct silence *s, const struct silence *all)
{
    return patience_ms(s->gap_ms ? s->gap_ms : all->gap_ms, LEAST_MS, SILENCE_MOST_MS);
}

/* Rises at once, falls slowly; never to 0, which would be "not known". */
static int64_t usual_ms(int64_t before_ms, int64_t ms)
{
    int64_t faded = before_ms - (before_ms + 7) / 8;
    ms = ms > 0 ? ms : 1;
    return ms > faded ? ms : faded;
}

void silence_ended(struct silence *s, int64_t first_ms, int64_t gap_ms)
{
    s->first_ms = usual_ms(s->first_ms, first_ms);
    s->gap_ms = usual_ms(s->gap_ms, gap_ms);
}

/* Whoever is a little slower than it was given time for gets there in the end. */
static int64_t raised(int64_t usual, int64_t given_ms)
{
    int64_t ms = given_ms * 3 / 2 / TIMES + 1;
    return usual < ms ? ms : usual;
}

void silence_lasted_first(struct silence *s, int64_t given_ms)
{
    s->first_ms = raised(s->first_ms, given_ms);
}

void silence_lasted(struct silence *s, int64_t given_ms)
{
    s->gap_ms = raised(s->gap_ms, given_ms);
}
