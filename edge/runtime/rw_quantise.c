/* out[n] = round(in[n] / scale) + zero, half away from zero, held within int8; and in[n] = scale * (out[n] - zero).
 * What is no number becomes zero; beyond the range, the end of it.
 * Source: AffineQuantize and Dequantize of TensorFlow Lite, whose result beyond 2^31 steps is undefined. */
#include "rw_quantise.h"

#include <string.h>

#include "rw_fixed.h"

/* More steps than int8 has, and few enough for an int32 to hold. */
#define RW_MANY_STEPS 65536.0f

static int32_t rw_rounded(float steps)
{
    if (!(steps > -RW_MANY_STEPS)) {
        return steps <= -RW_MANY_STEPS ? -65536 : 0;
    }
    if (steps >= RW_MANY_STEPS) {
        return 65536;
    }
    const int32_t whole = (int32_t)steps;
    const float rest = steps - (float)whole;  /* exact */
    return whole + (rest >= 0.5f ? 1 : 0) - (rest <= -0.5f ? 1 : 0);
}

void rw_quantise(const struct rw_quantise *op, const int8_t *in, int8_t *out)
{
    for (uint32_t i = 0; i < op->n; ++i) {
        float x;
        memcpy(&x, in + i * sizeof x, sizeof x);
        out[i] = rw_clamp(rw_rounded(x / op->scale) + op->zero, INT8_MIN, INT8_MAX);
    }
}

void rw_dequantise(const struct rw_quantise *op, const int8_t *in, int8_t *out)
{
    for (uint32_t i = 0; i < op->n; ++i) {
        const float x = op->scale * (float)(in[i] - op->zero);
        memcpy(out + i * sizeof x, &x, sizeof x);
    }
}
