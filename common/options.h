/* The options: names, defaults and values from an environment. Pure but for getenv;
 * safe before main, allocates nothing. Rows: options.def. */
#ifndef WARMPATH_OPTIONS_H
#define WARMPATH_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum option_type {
    OPTION_TEXT,
    OPTION_PATH,
    OPTION_SIZE,
    OPTION_SHARE,
    OPTION_SECONDS,
    OPTION_LIMIT
};

enum option_id {
#define OPTION(id, variable, type, fallback, help) OPT_##id,
#include "common/options.def"
#undef OPTION
    OPT_COUNT
};

struct option_row {
    const char *variable;
    enum option_type type;
    const char *fallback;
    const char *help;
};

extern const struct option_row option_rows[OPT_COUNT];

/* The option's text: the variable's, or the default where it is unset or empty. Borrowed. */
const char *option_text(enum option_id id);

/* A number in the option's unit (bytes, seconds); UINT64_MAX for no limit. A malformed value gives
 * the default, as options_check() has said. */
uint64_t option_number(enum option_id id);

/* A power of two from 64K to 64M. */
bool option_block_size_fits(uint64_t bytes);
/* A power of two from 4K to 1M. */
bool option_read_piece_fits(uint64_t bytes);

/* WARMPATH_CACHE_SIZE against a disk of `disk_bytes`. */
uint64_t option_share(enum option_id id, uint64_t disk_bytes);

/* Calls `complain` with a sentence for each WARMPATH_* variable that is malformed or not known.
 * Returns how many there were. */
int options_check(void (*complain)(const char *sentence));

/* "4M" → 4194304. False when it is no number with an optional K, M, G or T. */
bool parse_size(const char *text, uint64_t *bytes);

/* Where the agent of this environment keeps its blocks. False when neither HOME nor the option is
 * set, or when it does not fit. */
bool option_cache_dir(char *out, size_t size);

/* In the cache's directory: other nodes are not to be sent here for blocks. `warmpath node stop`
 * makes it, `start` removes it, the agent looks for it when it renews its lease. */
#define NODE_CLOSED_FILE "blocks/closed"

/* The agent's socket: WARMPATH_SOCKET, else one in a directory of the user's own, named by
 * the store (so that two stores are two agents). False when it does not fit a socket address. */
bool option_socket_path(char *out, size_t size);

/* The user's own directory for what lives no longer than the machine is up:
 * $XDG_RUNTIME_DIR/warmpath or /tmp/warmpath-UID; made if need be, and checked to be nobody else's.
 * 0 or -errno. */
int option_runtime_dir(char *out, size_t size);

/* Where real copies of mapped programs and libraries may lie, best first: on the cache's disk,
 * which has room, else in the runtime directory, which may be memory. False when there is no such
 * place.
 */
#define OPTION_COPIES_DIRS 2
bool option_copies_dir(int choice, char *out, size_t size);

#endif
