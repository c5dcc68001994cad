/* ln(2^e m) = e ln 2 + 2 atanh((m - 1) / (m + 1)), m from sqrt(1/2) to sqrt(2); exp(k ln 2 + r) = 2^k exp(r).
 *
 * The series of atanh ends behind the 9th power of at most 0.172, that of exp behind the 7th of at most 0.347: what is left
 * out is below 1e-8 of the sum. Source: Cody and Waite, Software Manual for the Elementary Functions (1980), chapters 5, 6.
 */
#include "rw_logarithm.h"

#include <stdint.h>
#include <string.h>

#define LN_2_HIGH 0.693359375f /* 9 bits, so that its product with an exponent is exact */
#define LN_2_LOW (-2.12194440e-4f)
#define ONE_OVER_LN_2 1.44269504f
#define ROOT_HALF_BITS 0x3F3504F3u
#define EXPONENT_SHIFT 23
#define MANTISSA 0x007FFFFFu
#define BIAS 127

static uint32_t bits_of(float x)
{
    uint32_t bits;

    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static float float_of(uint32_t bits)
{
    float x;

    memcpy(&x, &bits, sizeof x);
    return x;
}

float rw_logarithm(float x)
{
    /* As if the mantissa ran from sqrt(1/2) on. */
    const uint32_t bits = bits_of(x) + ((uint32_t)BIAS << EXPONENT_SHIFT) - ROOT_HALF_BITS;
    const float e = (float)((int32_t)(bits >> EXPONENT_SHIFT) - BIAS);
    const float m = float_of((bits & MANTISSA) + ROOT_HALF_BITS);
    const float s = (m - 1.0f) / (m + 1.0f), s2 = s * s;
    const float series = s2 * (1.0f / 3.0f + s2 * (0.2f + s2 * (1.0f / 7.0f + s2 * (1.0f / 9.0f))));

    return e * LN_2_HIGH + (2.0f * s + (2.0f * s * series + e * LN_2_LOW));
}

/* exp(r) - 1 for |r| <= ln 2 / 2. */
static float series_of(float r)
{
    const float higher = 1.0f / 6.0f + r * (1.0f / 24.0f + r * (1.0f / 120.0f + r * (1.0f / 720.0f + r / 5040.0f)));

    return r + r * r * (0.5f + r * higher);
}

float rw_exponential_less_1(float x)
{
    const float scaled = x * ONE_OVER_LN_2;
    const int32_t k = (int32_t)(scaled + (scaled < 0.0f ? -0.5f : 0.5f));
    const float r = x - (float)k * LN_2_HIGH - (float)k * LN_2_LOW;

    if (k == 0) {
        return series_of(r);
    }
    const float power = float_of((uint32_t)(k + BIAS) << EXPONENT_SHIFT);
    return power * series_of(r) + (power - 1.0f);
}
