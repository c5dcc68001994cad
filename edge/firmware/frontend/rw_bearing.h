/* Lines of a bearing's fault frequencies in the envelope. */
#ifndef RW_BEARING_H
#define RW_BEARING_H

#include <stddef.h>

#include "rw_pair.h"

/* Multiples of the shaft speed: ball pass frequency of the outer and of the inner race, ball spin, cage. */
struct rw_fault_orders {
    float bpfo, bpfi, bsf, ftf;
};

/* Writes the features from RW_FEATURE_BPFO_CONTRAST to RW_FEATURE_FTF_CONTRAST; lines are of rw_envelope and
 * are reordered; shaft_bins is the shaft speed in bins of a window of n samples. */
void rw_bearing_features(float *lines, size_t n, struct rw_pair shaft_bins, const struct rw_fault_orders *orders,
                         float *features);

#endif
