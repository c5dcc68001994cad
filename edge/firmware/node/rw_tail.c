/* The level that healthy scores pass at a stated rate: see the header. */
#include "rw_tail.h"

#include "rw_logarithm.h"

#define SMALLEST_SHAPE 0.0f
#define LARGEST_SHAPE 0.5f
#define ONE_IN 5u

/* Some hundred scores, once in a node's life: insertion. */
static void sort(float *x, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        const float value = x[i];
        size_t k = i;
        for (; k > 0 && x[k - 1] > value; k--) {
            x[k] = x[k - 1];
        }
        x[k] = value;
    }
}

/* Mean of the excesses over start, and their mean weighted by the share of excesses above each. */
static void moments(const float *x, size_t n, float start, float *mean, float *weighted)
{
    *mean = 0.0f;
    *weighted = 0.0f;
    for (size_t i = 0; i < n; i++) {
        const float excess = x[i] - start;
        *mean += excess;
        *weighted += excess * (float)(n - 1 - i) / (float)(n - 1);
    }
    *mean /= (float)n;
    *weighted /= (float)n;
}

static void fit(struct rw_tail *tail, const float *x, size_t n)
{
    float mean, weighted;

    moments(x, n, tail->start, &mean, &weighted);
    const bool alike = x[0] == x[n - 1];
    const float ratio = alike ? 2.0f : mean / (mean - 2.0f * weighted);
    tail->shape = 2.0f - ratio;
    tail->scale = 2.0f * weighted * ratio;
    if (alike || !(tail->shape >= SMALLEST_SHAPE && tail->shape <= LARGEST_SHAPE)) {
        tail->shape = tail->shape > LARGEST_SHAPE ? LARGEST_SHAPE : SMALLEST_SHAPE;
        tail->scale = (1.0f - tail->shape) * mean;
    }
}

bool rw_tail_learn(struct rw_tail *tail, float *scores, size_t n)
{
    const size_t count = (n + ONE_IN - 1u) / ONE_IN;

    if (n < RW_TAIL_FEWEST) {
        return false;
    }
    sort(scores, n);
    tail->start = scores[n - count - 1];
    if (!(scores[n - 1] > tail->start)) {
        return false;
    }
    tail->share = (float)count / (float)n;
    fit(tail, scores + n - count, count);
    return true;
}

float rw_tail_level(const struct rw_tail *tail, float rate)
{
    const float decades = rw_logarithm(tail->share / rate);
    const float growth =
        tail->shape == 0.0f ? decades : rw_exponential_less_1(tail->shape * decades) / tail->shape;

    return tail->start + tail->scale * growth;
}
