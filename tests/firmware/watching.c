/* Runs rw_watch over windows that come in a file and writes its verdicts to another; the networks are linked to it.
 *
 * In: 6 words k, n_scale, n_tail, raise_after, clear_after, samples of a window; 2 floats false-alarm rate, clear ratio; then
 * for each window k floats and its samples. Out: 8 words a window. The third argument, N, lets the machine resume from the
 * baseline behind the N-th window, as after a loss of power.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "networks.h"
#include "rw_watch.h"

const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "detect_leaks=0";
}

struct head {
    uint32_t k, n_scale, n_tail, raise_after, clear_after, n;
    float rate, ratio;
};

static int run(const struct head *head, FILE *in, FILE *out, unsigned long cut_behind)
{
    const struct rw_watch_config config = {
        head->n_scale, head->n_tail, head->rate, {head->raise_after, head->clear_after, head->ratio}};
    struct rw_watch *watch = malloc(sizeof *watch);
    float *features = malloc(head->k * sizeof *features);
    int16_t *window = malloc(head->n * sizeof *window);
    int status = rw_watch_init(watch, &config, &rw_health, rw_kinds);

    for (unsigned long i = 1; status == 0 && fread(features, sizeof *features, head->k, in) == head->k; i++) {
        if (fread(window, sizeof *window, head->n, in) != head->n) {
            status = 9;
        }
        const struct rw_verdict v = rw_watch_take(watch, features, window);
        const int32_t words[5] = {(int32_t)v.state, v.scored, v.commissioned, (int32_t)v.change, v.kind.index};
        const float floats[3] = {v.score, v.threshold, v.kind.probability};
        fwrite(words, sizeof words[0], 5, out);
        fwrite(floats, sizeof floats[0], 3, out);
        if (i == cut_behind) {
            const struct rw_baseline kept = watch->baseline;
            memset(watch, 0xA5, sizeof *watch);
            status = rw_watch_init(watch, &config, &rw_health, rw_kinds);
            rw_watch_resume(watch, &kept);
        }
    }
    free(watch);
    free(features);
    free(window);
    return -status;
}

int main(int argc, char **argv)
{
    struct head head;
    FILE *in = fopen(argv[1], "rb"), *out = fopen(argv[2], "wb");

    if (argc != 4 || in == NULL || out == NULL || fread(&head, sizeof head, 1, in) != 1) {
        return 99;
    }
    const int status = run(&head, in, out, strtoul(argv[3], NULL, 10));
    return fclose(out) == 0 ? status : 99;
}
