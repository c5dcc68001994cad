/* What an abnormal window shows: class probabilities of a network over its samples, averaged over the latest such windows.
 *
 * The network sees the first samples of a window, as many as it has inputs, less their mean and over their deviation; a
 * window without deviation has none of its classes. Eight windows are averaged, as the service does.
 */
#ifndef RW_DIAGNOSIS_H
#define RW_DIAGNOSIS_H

#include <stdbool.h>

#include "rw_network.h"

#define RW_CLASSES_MOST 10u
#define RW_AVERAGED 8u

struct rw_diagnosis {
    float recent[RW_AVERAGED][RW_CLASSES_MOST];
    uint32_t seen; /* windows of this alarm */
};

struct rw_class {
    int32_t index; /* -1: unknown */
    float probability;
};

void rw_diagnosis_clear(struct rw_diagnosis *diagnosis);

/* Runs the network on a window of at least as many samples as it has inputs, and says which class leads now. */
struct rw_class rw_diagnosis_take(struct rw_diagnosis *diagnosis, const struct rw_network *network,
                                  const int16_t *window);

#endif
