/* e[t] = |sum over k of B[k] exp(2 pi i k t / L)|^2 / sum |B|^2, L = 15 m, m = n/16: B are the bins of the band, and
 * the sum of their squared moduli makes the mean of e 1. Lines: 2 / L |sum over t of (e[t] - 1) exp(-2 pi i k t / L)|,
 * 1 <= k <= 2 m.
 *
 * There: B is conjugated, which leaves the modulus as it is and the transform a forward one; then with k = a + m b and
 * t = 15 p + q for each a a sum over b, of which only 8 places are not 0, a root of unity, and 15 transforms of m
 * places, which leave t at place q m + p. Back: 15 transforms of m real places each, and of those the sum over q by
 * Horner's rule for the few lines that are read. So no place is moved between. Source: relative_envelope of
 * features/envelope.py; decimation as in Brigham (1988), chapter 8.
 */
#include "rw_envelope.h"

#include "rw_feature_contract.h"
#include "rw_fft.h"
#include "rw_pair.h"
#include "rw_tables.h"

#define RW_BANDS 8 /* places of b at which the band can stand */

/* exp(-2 pi i a / (15 m)), a <= m, by the series: the angle is below 0.42. */
static struct rw_complex rw_small_root(size_t m, size_t a)
{
    const float x = 6.2831853f / (float)RW_ENVELOPE_PARTS * (float)a / (float)m, x2 = x * x;
    const float c = 1.0f - x2 * (0.5f - x2 * (1.0f / 24.0f - x2 * (1.0f / 720.0f - x2 * (1.0f / 40320.0f))));
    const float s = x * (1.0f - x2 * (1.0f / 6.0f - x2 * (1.0f / 120.0f - x2 * (1.0f / 5040.0f))));
    return (struct rw_complex){c, -s};
}

/* Moves the conjugated band to the first places, over the root of its sum of squared moduli; clears the others. */
static float rw_place_band(struct rw_complex *z, size_t n)
{
    const size_t low = (size_t)(RW_ENVELOPE_FROM_SHARE * (float)(n / 2)), width = n / 2 + 1 - low;
    struct rw_pair sum = {0.0f, 0.0f};
    for (size_t k = 0; k < width; ++k) {
        rw_add(&sum, rw_squared_modulus(rw_bin(z, n, low + k)));
    }
    const float total = rw_value(sum), factor = total > 0.0f ? 1.0f / rw_root(total) : 0.0f;
    const struct rw_complex nyquist = rw_bin(z, n, n / 2);
    for (size_t k = 0; k < width - 1; ++k) {
        z[k] = (struct rw_complex){factor * z[low + k].re, -factor * z[low + k].im};
    }
    z[width - 1] = (struct rw_complex){factor * nyquist.re, 0.0f};
    for (size_t k = width; k < RW_ENVELOPE_PLACES(n); ++k) {
        z[k] = (struct rw_complex){0.0f, 0.0f};
    }
    return total;
}

/* The sum over b for one a and all q; q and 15 - q share the products. Unrolled, x stays in registers. */
static void rw_part(struct rw_complex *z, size_t m, size_t a)
{
    const struct rw_complex step = rw_small_root(m, a), turn = rw_root_of_unity(a * (RW_TURN / m));
    struct rw_complex x[RW_BANDS], sum = {0.0f, 0.0f}, root = step;
#pragma GCC unroll 8
    for (size_t b = 0; b < RW_BANDS; ++b) {
        x[b] = z[a + m * b];
        sum = rw_plus(sum, x[b]);
    }
    z[a] = sum;
    for (size_t q = 1; q < RW_BANDS; ++q, root = rw_times(root, step)) {
        const float *cosine = rw_cosine_of_fifteenths[q - 1], *sine = rw_sine_of_fifteenths[q - 1];
        struct rw_complex even = x[0], odd = {0.0f, 0.0f};
#pragma GCC unroll 8
        for (size_t b = 1; b < RW_BANDS; ++b) {
            even = (struct rw_complex){even.re + cosine[b - 1] * x[b].re, even.im + cosine[b - 1] * x[b].im};
            odd = (struct rw_complex){odd.re + sine[b - 1] * x[b].im, odd.im - sine[b - 1] * x[b].re};
        }
        const struct rw_complex mirrored = rw_times(turn, rw_conjugate(root));
        z[a + m * q] = rw_times(rw_plus(even, odd), root);
        z[a + m * (RW_ENVELOPE_PARTS - q)] = rw_times(rw_minus(even, odd), mirrored);
    }
}

/* Squares of the moduli, as floats from the first place on, less their mean of 1. */
static void rw_square(struct rw_complex *z, size_t n_places, struct rw_envelope *out)
{
    float *values = &z[0].re;
    struct rw_pair squares = {0.0f, 0.0f};
    for (size_t i = 0; i < n_places; ++i) {
        const float value = rw_squared_modulus(z[i]);
        out->largest = value > out->largest ? value : out->largest;
        rw_add(&squares, value * value);
        values[i] = value - 1.0f;
    }
    out->square = rw_value(squares) / (float)n_places;
}

/* Place k of the transform of the q-th block of real places, 0 <= k < m. */
static struct rw_complex rw_of_block(const struct rw_complex *z, size_t m, size_t q, size_t k)
{
    const struct rw_complex *block = z + m / 2 * q;
    return k <= m / 2 ? rw_bin(block, m, k) : rw_conjugate(block[m - k]);
}

/* Sum over q of root^q times the blocks' place k. */
static struct rw_complex rw_horner(const struct rw_complex *z, size_t m, size_t k, struct rw_complex root)
{
    struct rw_complex sum = rw_of_block(z, m, RW_ENVELOPE_PARTS - 1, k);
    for (size_t q = RW_ENVELOPE_PARTS - 1; q > 0; --q) {
        sum = rw_plus(rw_times(sum, root), rw_of_block(z, m, q - 1, k));
    }
    return sum;
}

static void rw_read_lines(const struct rw_complex *z, size_t m, float *lines)
{
    const struct rw_complex fifteenth = {rw_cosine_of_fifteenths[0][0], -rw_sine_of_fifteenths[0][0]};
    const float unit = 2.0f / (float)(RW_ENVELOPE_PARTS * m);
    for (size_t k = 0; k < m; ++k) {
        const struct rw_complex root = rw_small_root(m, k), above = rw_times(root, fifteenth);
        lines[k] = k > 0 ? unit * rw_root(rw_squared_modulus(rw_horner(z, m, k, root))) : 0.0f;
        lines[k + m] = unit * rw_root(rw_squared_modulus(rw_horner(z, m, k, above)));
    }
    const struct rw_complex two_fifteenths = {rw_cosine_of_fifteenths[0][1], -rw_sine_of_fifteenths[0][1]};
    lines[2 * m] = unit * rw_root(rw_squared_modulus(rw_horner(z, m, 0, two_fifteenths)));
}

void rw_envelope(struct rw_complex *z, size_t n, struct rw_envelope *out, float *lines)
{
    const size_t m = n / 16;
    const float total = rw_place_band(z, n);
    if (!(total > 0.0f)) {
        *out = (struct rw_envelope){0.0f, 1.0f, 1.0f};
        for (size_t k = 0; k < RW_ENVELOPE_LINES(n); ++k) {
            lines[k] = 0.0f;
        }
        return;
    }
    *out = (struct rw_envelope){.mean = 4.0f * total / ((float)n * (float)n)};
    for (size_t a = 0; a < m; ++a) {
        rw_part(z, m, a);
    }
    rw_fft(z, m, RW_ENVELOPE_PARTS);
    rw_square(z, RW_ENVELOPE_PLACES(n), out);
    rw_fft_real(z, m, RW_ENVELOPE_PARTS);
    rw_read_lines(z, m, lines);
}

void rw_envelope_features(const struct rw_envelope *e, const float *lines, size_t n, float rate_hz, float scale,
                          float *features)
{
    size_t place = 0;
    for (size_t k = 1; k < RW_ENVELOPE_LINES(n); ++k) {
        place = lines[k] > lines[place] ? k : place;
    }
    features[RW_FEATURE_ENVELOPE_RMS] = scale * rw_root(e->mean);
    features[RW_FEATURE_ENVELOPE_CREST] = rw_root(e->largest);
    features[RW_FEATURE_ENVELOPE_KURTOSIS] = e->square - 2.0f;
    features[RW_FEATURE_ENVELOPE_LINE] = lines[place];
    features[RW_FEATURE_ENVELOPE_LINE_FREQUENCY] = rate_hz / (float)n * (float)place;
}
