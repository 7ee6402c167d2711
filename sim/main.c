/* make sim: runs the scenarios, prints a table, leaves what the plots show.
 *
 *     sim [--seed N] [--out DIR] [SCENARIO…]
 *
 * The exit status is 1 when a goal is missed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/run.h"

static const char *verdict(double value, double goal)
{
    return goal == 0 ? "" : value <= goal ? " met" : " MISSED";
}

static void print_row(const struct scenario *s, const struct world *w, const struct result *r)
{
    printf("%-10s %5d %7.2f %7.2f %5.2f%-7s %7.2f %7llu %6.3f%-7s %7d %7.0f %7.1f %%%s\n", s->name,
           s->nodes, r->bound_s, r->time_s, r->ratio, verdict(r->ratio, s->goal_ratio),
           r->slowest_s, (unsigned long long)w->totals.s3_gets, r->s3_ratio,
           verdict(r->s3_ratio, s->goal_s3), w->totals.most_uploads, r->redis_ops,
           r->redis_share * 100, verdict(r->redis_share, s->goal_redis));
    fflush(stdout);
}

static void write_series(const struct world *w, const char *folder)
{
    char path[4200];
    snprintf(path, sizeof(path), "%s/%s.csv", folder, w->scenario->name);
    FILE *f = fopen(path, "w");
    if (!f) {
        perror(path);
        exit(1);
    }
    fprintf(f, "# title %s\n", w->scenario->title);
    fprintf(f, "# bound_s %.3f\n", run_bound_s(w));
    fprintf(f, "# nodes_rate %.0f\n", w->scenario->nodes * w->scenario->nic_rate);
    fprintf(f, "# blocks %llu\n", (unsigned long long)run_judge(w).blocks);
    fprintf(f, "at_s,network_rate,redis_busy,slowest,median,fastest,s3_gets\n");
    const struct series *s = &w->series;
    for (int i = 0; i < s->n; i++)
        fprintf(f, "%.3f,%.0f,%.4f,%.4f,%.4f,%.4f,%u\n", (double)s->at_s[i],
                (double)s->network_rate[i], (double)s->redis_busy[i], (double)s->loaded[0][i],
                (double)s->loaded[1][i], (double)s->loaded[2][i], s->s3_gets[i]);
    fclose(f);
}

/* --- the command ----------------------------------------------------------------------- */

static bool is_named(const char *name, char *const *names, int n)
{
    for (int i = 0; i < n; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return n == 0;
}

static void print_head(void)
{
    printf("%-10s %5s %7s %7s %5s%-7s %7s %7s %6s%-7s %7s %7s %9s\n", "scenario", "nodes",
           "bound s", "time s", "ratio", "", "node s", "S3 GETs", "/block", "", "uploads",
           "Redis/s", "of a core");
}

int main(int argc, char **argv)
{
    uint64_t seed = 1;
    bool fine = true;
    const char *folder = NULL;
    int i = 1;
    for (; i + 1 < argc && argv[i][0] == '-'; i += 2) {
        if (strcmp(argv[i], "--seed") == 0)
            seed = strtoull(argv[i + 1], NULL, 10);
        else if (strcmp(argv[i], "--out") == 0)
            folder = argv[i + 1];
        else
            break;
    }
    if (i < argc && argv[i][0] == '-') {
        fprintf(stderr, "usage: sim [--seed N] [--out DIR] [SCENARIO…]\n");
        return 2;
    }
    print_head();
    for (const struct scenario *s = scenarios; s->name; s++) {
        if (!is_named(s->name, argv + i, argc - i))
            continue;
        struct world *w = run_scenario(s, seed);
        struct result r = run_judge(w);
        print_row(s, w, &r);
        fine &= run_is_fine(s, &r);
        if (folder)
            write_series(w, folder);
        run_free(w);
    }
    return fine ? 0 : 1;
}
