/* The bins k with |k - place| <= max(1, share place), and the median of lines. Where a bin stands on the limit,
 * rounding must not decide: places are pairs of floats, and 1e-9 of a bin is allowed, as in
 * order_amplitudes_from_spectrum of features/orders.py. Source of the selection: Hoare, Commun. ACM 4 (1961) 321, FIND.
 */
#include "rw_lines.h"

#include <stdint.h>

#define RW_SLACK 1e-9f

/* A place by its nearest whole number, from 0 to 2^23, and what it lies above that. */
static struct rw_pair rw_nearest(struct rw_pair place)
{
    const float whole = (float)(int32_t)(place.high + 0.5f);
    return (struct rw_pair){whole, (place.high - whole) + place.low};
}

size_t rw_first_bin(struct rw_pair place)
{
    const struct rw_pair near = rw_nearest(place);
    return (size_t)near.high + (near.low > RW_SLACK ? 1u : 0u);
}

size_t rw_last_bin(struct rw_pair place)
{
    const struct rw_pair near = rw_nearest(place);
    return (size_t)near.high - (near.high > 0.0f && near.low < -RW_SLACK ? 1u : 0u);
}

struct rw_range rw_lines_near(struct rw_pair place, struct rw_pair share, size_t bins)
{
    const struct rw_pair end = {(float)(bins - 1), 0.0f};
    if (!(place.high < (float)bins)) {
        return (struct rw_range){0, 0, false};
    }
    struct rw_pair reach = rw_pair_product(place, share);
    if (reach.high < 1.0f) {
        reach = (struct rw_pair){1.0f, 0.0f};
    }
    const struct rw_pair low = rw_pair_sum(place, (struct rw_pair){-reach.high, -reach.low});
    struct rw_range range = {low.high > 0.0f ? rw_first_bin(low) : 0, rw_last_bin(rw_pair_sum(place, reach)), true};
    range.first = range.first < 1 ? 1 : range.first;
    range.last = range.last > bins - 1 ? bins - 1 : range.last;
    const float beyond = (place.high - end.high) + place.low;
    range.inside = beyond <= RW_SLACK && range.first <= range.last;
    return range;
}

float rw_lines_largest(const float *lines, struct rw_range range)
{
    float largest = 0.0f;
    for (size_t k = range.first; range.inside && k <= range.last; ++k) {
        largest = lines[k] > largest ? lines[k] : largest;
    }
    return largest;
}

/* Orders values so far that the k-th smallest stands at k, none larger before it and none smaller behind it. */
static void rw_select(float *values, ptrdiff_t n, ptrdiff_t k)
{
    ptrdiff_t first = 0, last = n - 1;
    while (first < last) {
        const float pivot = values[k];
        ptrdiff_t i = first, j = last;
        while (i <= j) {
            for (; values[i] < pivot; ++i) {
            }
            for (; pivot < values[j]; --j) {
            }
            if (i <= j) {
                const float kept = values[i];
                values[i++] = values[j];
                values[j--] = kept;
            }
        }
        /* Now all before i are at most the pivot, and all behind j at least. */
        first = j < k ? i : first;
        last = k < i ? j : last;
    }
}

float rw_lines_median(float *lines, size_t n)
{
    rw_select(lines, (ptrdiff_t)n, (ptrdiff_t)(n / 2));
    const float upper = lines[n / 2];
    float lower = lines[0];
    for (size_t i = 0; i < n / 2; ++i) {
        lower = lines[i] > lower ? lines[i] : lower;
    }
    return n % 2 ? upper : 0.5f * (lower + upper);
}
