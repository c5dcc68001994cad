/* X[k] = sum over t of x[t] exp(-2 pi i k t / n): decimation in time, radix 4 on samples in bit-reversed order, one
 * radix-2 step first where log2 n is odd. Roots of unity come from a table, or are the square and the cube of one:
 * recurrences would lose digits. A real transform is the complex one of half the length, of pairs of samples, parted by
 * symmetry. Source: Brigham, The Fast Fourier Transform and its Applications (1988), chapters 8 and 9.
 */
#include "rw_fft.h"

#include "rw_tables.h"

static void rw_reverse_bits(struct rw_complex *z, size_t n)
{
    for (size_t i = 1, j = 0; i < n; ++i) {
        size_t bit = n / 2;
        for (; j & bit; bit /= 2) {
            j ^= bit;
        }
        j |= bit;
        if (i < j) {
            const struct rw_complex kept = z[i];
            z[i] = z[j];
            z[j] = kept;
        }
    }
}

static void rw_pairs(struct rw_complex *z, size_t n)
{
    for (size_t i = 0; i < n; i += 2) {
        const struct rw_complex a = z[i], b = z[i + 1];
        z[i] = rw_plus(a, b);
        z[i + 1] = rw_minus(a, b);
    }
}

/* Joins the values of four transforms of length q, the even ones standing before the odd ones. */
static inline void rw_join(struct rw_complex *z, size_t q, struct rw_complex a, struct rw_complex b,
                           struct rw_complex c, struct rw_complex d)
{
    const struct rw_complex even = rw_plus(a, c), even_turned = rw_minus(a, c);
    const struct rw_complex odd = rw_plus(b, d), odd_turned = rw_minus(b, d);
    z[0] = rw_plus(even, odd);
    z[q] = (struct rw_complex){even_turned.re + odd_turned.im, even_turned.im - odd_turned.re};
    z[2 * q] = rw_minus(even, odd);
    z[3 * q] = (struct rw_complex){even_turned.re - odd_turned.im, even_turned.im + odd_turned.re};
}

/* All blocks of 4q among all places at once for one j, so that the roots are looked up once. */
static void rw_join_all(struct rw_complex *z, size_t all, size_t q, size_t j)
{
    const size_t step = j * (RW_TURN / 4 / q);
    const struct rw_complex w1 = rw_root_of_unity(step), w2 = rw_times(w1, w1), w3 = rw_times(w2, w1);
    for (size_t i = j; i < all; i += 4 * q) {
        const struct rw_complex b = rw_times(z[i + 2 * q], w1), c = rw_times(z[i + q], w2);
        rw_join(z + i, q, z[i], b, c, rw_times(z[i + 3 * q], w3));
    }
}

void rw_fft(struct rw_complex *z, size_t n, size_t blocks)
{
    const size_t all = n * blocks;
    size_t q = 1;
    for (size_t block = 0; block < all; block += n) {
        rw_reverse_bits(z + block, n);
    }
    for (size_t rest = n; rest > 1; rest /= 4) {
        if (rest == 2) {
            rw_pairs(z, all);
            q = 2;
        }
    }
    for (; q < n; q *= 4) {
        for (size_t i = 0; i < all; i += 4 * q) {
            rw_join(z + i, q, z[i], z[i + 2 * q], z[i + q], z[i + 3 * q]);
        }
        for (size_t j = 1; j < q; ++j) {
            rw_join_all(z, all, q, j);
        }
    }
}

/* Bins k and half - k of one block, 1 <= k <= half/2. */
static inline void rw_part_bins(struct rw_complex *z, size_t half, size_t k, struct rw_complex root)
{
    /* Of the samples with even places, and of those with odd ones times i. */
    const struct rw_complex a = z[k], b = rw_conjugate(z[half - k]);
    const struct rw_complex even = {0.5f * (a.re + b.re), 0.5f * (a.im + b.im)};
    const struct rw_complex odd = {0.5f * (a.im - b.im), 0.5f * (b.re - a.re)};
    const struct rw_complex turned = rw_times(odd, root);
    z[k] = rw_plus(even, turned);
    z[half - k] = rw_conjugate(rw_minus(even, turned));
}

void rw_fft_real(struct rw_complex *z, size_t n, size_t blocks)
{
    const size_t half = n / 2;
    struct rw_complex *const end = z + half * blocks;
    rw_fft(z, half, blocks);
    for (struct rw_complex *block = z; block < end; block += half) {
        *block = (struct rw_complex){block->re + block->im, block->re - block->im};
    }
    for (size_t k = 1; k <= half / 2; ++k) {
        const struct rw_complex root = rw_root_of_unity(k * (RW_TURN / n));
        for (struct rw_complex *block = z; block < end; block += half) {
            rw_part_bins(block, half, k, root);
        }
    }
}
