/* Fourier transforms in place, of powers of two. */
#ifndef RW_FFT_H
#define RW_FFT_H

#include <stddef.h>

#include "rw_complex.h"

/* z[k] = sum over t of z[t] exp(-2 pi i k t / n), unscaled, in each of `blocks` blocks of n places that follow one
 * another; n is a power of two from 4 to 2048. */
void rw_fft(struct rw_complex *z, size_t n, size_t blocks);

/* The same of blocks of n real samples, n a power of two from 8 to 4096, of which z holds two each, as it holds bins k
 * below n/2 of each result: rw_bin reads all of them. */
void rw_fft_real(struct rw_complex *z, size_t n, size_t blocks);

/* Bin k of what rw_fft_real left, 0 <= k <= n/2: the first place holds bin 0 and, as its imaginary part, bin n/2. */
static inline struct rw_complex rw_bin(const struct rw_complex *z, size_t n, size_t k)
{
    if (k == 0) {
        return (struct rw_complex){z[0].re, 0.0f};
    }
    return k < n / 2 ? z[k] : (struct rw_complex){z[0].im, 0.0f};
}

#endif
