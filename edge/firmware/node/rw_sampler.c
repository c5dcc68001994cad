/* Windows of samples through two halves: see the header. */
#include "rw_sampler.h"

#include <string.h>

void rw_sampler_init(struct rw_sampler *sampler, int16_t *halves, uint32_t n)
{
    memset(sampler, 0, sizeof *sampler);
    sampler->halves = halves;
    sampler->n = n;
}

static void count(atomic_uint *counter, uint32_t n)
{
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + n, memory_order_relaxed);
}

/* Drops what was gathered of a window. */
static void drop(struct rw_sampler *sampler)
{
    count(&sampler->dropped, sampler->filled);
    sampler->filled = 0;
}

static size_t fill(struct rw_sampler *sampler, const int16_t *samples, size_t n)
{
    const uint32_t room = sampler->n - sampler->filled;
    const uint32_t part = n < room ? (uint32_t)n : room;

    if (atomic_load_explicit(&sampler->full[sampler->filling], memory_order_acquire)) {
        return 0;
    }
    memcpy(sampler->halves + sampler->filling * sampler->n + sampler->filled, samples, part * sizeof *samples);
    sampler->filled += part;
    if (sampler->filled == sampler->n) {
        atomic_store_explicit(&sampler->full[sampler->filling], 1u, memory_order_release);
        sampler->filling ^= 1u;
        sampler->filled = 0;
    }
    return part;
}

size_t rw_sampler_put(void *context, const int16_t *samples, size_t n)
{
    struct rw_sampler *sampler = context;
    size_t done = 0;

    if (atomic_load_explicit(&sampler->idle, memory_order_acquire)) {
        drop(sampler);
        count(&sampler->idled, (uint32_t)n);
        done = n;
    }
    while (done < n) {
        const size_t part = fill(sampler, samples + done, n - done);
        if (part == 0) {
            break;
        }
        done += part;
    }
    count(&sampler->taken, (uint32_t)done);
    return done;
}

void rw_sampler_lost(void *context, uint32_t n)
{
    struct rw_sampler *sampler = context;

    drop(sampler);
    count(&sampler->missing, n);
    count(&sampler->gaps, 1u);
}

const int16_t *rw_sampler_window(struct rw_sampler *sampler)
{
    if (!atomic_load_explicit(&sampler->full[sampler->reading], memory_order_acquire)) {
        return NULL;
    }
    return sampler->halves + sampler->reading * sampler->n;
}

void rw_sampler_release(struct rw_sampler *sampler)
{
    atomic_store_explicit(&sampler->full[sampler->reading], 0u, memory_order_release);
    sampler->reading ^= 1u;
}

void rw_sampler_set_idle(struct rw_sampler *sampler, bool idle)
{
    atomic_store_explicit(&sampler->idle, idle ? 1u : 0u, memory_order_release);
}
