/* A ring of bytes between an interrupt and the loop, one writer and one reader; it refuses bytes when it is full.
 *
 * head and tail count bytes modulo 2^32; each is written by one side only, after the bytes that it speaks for.
 */
#ifndef RW_RING_H
#define RW_RING_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RW_RING_BYTES 1024u /* a power of two */

struct rw_ring {
    atomic_uint head; /* written so far */
    atomic_uint tail; /* read so far */
    uint8_t bytes[RW_RING_BYTES];
};

static inline bool rw_ring_full(const struct rw_ring *ring)
{
    return atomic_load_explicit(&ring->head, memory_order_relaxed) -
               atomic_load_explicit(&ring->tail, memory_order_acquire) ==
           RW_RING_BYTES;
}

static inline bool rw_ring_put(struct rw_ring *ring, uint8_t byte)
{
    const unsigned head = atomic_load_explicit(&ring->head, memory_order_relaxed);

    if (rw_ring_full(ring)) {
        return false;
    }
    ring->bytes[head % RW_RING_BYTES] = byte;
    atomic_store_explicit(&ring->head, head + 1u, memory_order_release);
    return true;
}

static inline bool rw_ring_take(struct rw_ring *ring, uint8_t *byte)
{
    const unsigned tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);

    if (atomic_load_explicit(&ring->head, memory_order_acquire) == tail) {
        return false;
    }
    *byte = ring->bytes[tail % RW_RING_BYTES];
    atomic_store_explicit(&ring->tail, tail + 1u, memory_order_release);
    return true;
}

/* As many of n bytes as there are, or as there is room for. */
static inline size_t rw_ring_read(struct rw_ring *ring, uint8_t *to, size_t n)
{
    size_t i = 0;

    while (i < n && rw_ring_take(ring, to + i)) {
        i++;
    }
    return i;
}

static inline size_t rw_ring_write(struct rw_ring *ring, const uint8_t *from, size_t n)
{
    size_t i = 0;

    while (i < n && rw_ring_put(ring, from[i])) {
        i++;
    }
    return i;
}

#endif
