/* The level that healthy scores pass at a stated rate, beyond those seen: the twin of models/tail.py.
 *
 * Excesses over the highest fifth's start follow a generalised Pareto distribution, whose parameters come from
 * probability-weighted moments (Hosking and Wallis, Technometrics 29 (1987) 339-349).
 */
#ifndef RW_TAIL_H
#define RW_TAIL_H

#include <stdbool.h>
#include <stddef.h>

#define RW_TAIL_FEWEST 30u
#define RW_TAIL_LARGEST_RATE 0.2f

struct rw_tail {
    float start, share, shape, scale;
};

/* Learns from n scores, which it puts into ascending order; false of fewer than RW_TAIL_FEWEST, or where the highest fifth
 * is alike throughout. */
bool rw_tail_learn(struct rw_tail *tail, float *scores, size_t n);

/* The score that a healthy window passes at a rate above 0, up to the tail's share. */
float rw_tail_level(const struct rw_tail *tail, float rate);

#endif
