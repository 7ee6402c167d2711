/* What was learned of an S3 endpoint, shared by all contexts that speak to it, whatever their
 * credentials: is it alive, how far off is this machine's clock, in which region is a bucket, how
 * fast may a prefix be asked. For s3*.c alone. Thread-safe. */
#ifndef WARMPATH_FETCH_S3_LORE_H
#define WARMPATH_FETCH_S3_LORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fetch/s3.h"
#include "policy/breaker.h"

struct s3_lore;

/* Of the endpoint of this name; counts a reference. NULL when memory is short. */
struct s3_lore *s3_lore_get(const char *endpoint);
void s3_lore_unref(struct s3_lore *l);

/* ---- alive? ---- */

/* The endpoint has spoken HTTP to us, at least once; since `since_ms`. */
bool s3_lore_answered(struct s3_lore *l);
bool s3_lore_answered_since(struct s3_lore *l, int64_t since_ms);
void s3_lore_heard(struct s3_lore *l, int64_t now_ms);
/* Before a request: as it is, as the one that finds out whether a silent endpoint is back, or not
 * at all, which comes with a sentence. */
enum s3_lore_answer { S3_LORE_ASK, S3_LORE_PROBE, S3_LORE_REFUSE };
enum s3_lore_answer s3_lore_may_ask(struct s3_lore *l, int64_t now_ms, char *why, size_t why_size);
/* A request ended without any sign of life; `why` is what it met. */
void s3_lore_silent(struct s3_lore *l, int64_t now_ms, const char *why);
void s3_lore_forget_probe(struct s3_lore *l, int64_t now_ms);
/* A refused HEAD says no more than 403; a GET would say why. Worth one more request, but not one
 * for each of a thousand files that this job may not read: true once in a while. */
bool s3_lore_may_diagnose(struct s3_lore *l, int64_t now_ms);

/* ---- clock ---- */

/* To be added to this machine's clock for signatures. */
int64_t s3_lore_clock_offset_s(struct s3_lore *l);
void s3_lore_set_clock_offset(struct s3_lore *l, int64_t offset_s);

/* ---- where a bucket is ---- */

/* `endpoint` as it is for this bucket: strings are borrowed from `endpoint` and from the lore. */
struct s3_endpoint s3_lore_endpoint(struct s3_lore *l, const struct s3_endpoint *endpoint,
                                    const char *bucket);
/* The bucket is in this region ("": as before), at this place ("https://host[:port]"; "": as
 * before, but for AWS' own hosts, whose names hold the region). True when that is news. */
bool s3_lore_moved(struct s3_lore *l, const struct s3_endpoint *endpoint, const char *bucket,
                   const char *region, const char *place);

/* ---- how fast ---- */

/* How long to wait before asking for this key. */
int64_t s3_lore_delay_ms(struct s3_lore *l, const char *bucket, const char *key, int64_t now_ms);
void s3_lore_rate(struct s3_lore *l, const char *bucket, const char *key, bool throttled,
                  int64_t now_ms);

/* ---- how soon ---- */

/* See policy/hedge. */
int64_t s3_lore_hedge_after_ms(struct s3_lore *l, int64_t now_ms);
bool s3_lore_hedge_take(struct s3_lore *l, int64_t now_ms);
void s3_lore_hedge_heard(struct s3_lore *l, int64_t first_byte_ms);

#endif
