/* Windows of samples through two halves: while the loop works on one, an interrupt fills the other. Gaps end a window.
 *
 * A window never spans a gap: what was gathered before one is dropped. Everything dropped or missing is counted: `missing`
 * are samples that never came, `dropped` those that came and belong to no window. One interrupt writes, one loop reads.
 * While the sampler is idle, samples are taken and counted as dropped by intent, in `idled`.
 */
#ifndef RW_SAMPLER_H
#define RW_SAMPLER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rw_sampler {
    int16_t *halves; /* 2 n samples */
    uint32_t n;
    atomic_uint full[2]; /* set by the interrupt, cleared by the loop */
    atomic_uint idle;    /* set by the loop */
    uint32_t filling, filled;
    uint32_t reading;
    atomic_uint missing, dropped, idled, gaps;
    atomic_uint taken;   /* samples that came */
};

/* halves has room for 2 n samples. */
void rw_sampler_init(struct rw_sampler *sampler, int16_t *halves, uint32_t n);

/* Of the interrupt, in the form of struct rw_sink: takes none when both halves are full. */
size_t rw_sampler_put(void *sampler, const int16_t *samples, size_t n);
void rw_sampler_lost(void *sampler, uint32_t n);

/* Of the loop: the oldest full window, or NULL. It stays as it is until it is released. */
const int16_t *rw_sampler_window(struct rw_sampler *sampler);
void rw_sampler_release(struct rw_sampler *sampler);

/* Of the loop: an idle sampler gathers nothing; the window that it was filling is dropped when it goes on. */
void rw_sampler_set_idle(struct rw_sampler *sampler, bool idle);

#endif
