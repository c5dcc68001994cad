/* Expansion of int8 inputs, once a layer, into the lanes of int16 that SMLAD multiplies.
 * Why 129 and 127: with x0 + 1 in -127..128 and x1 + 129 in 1..256, 256 (x0 + 1) - (x1 + 129) fills int16 exactly, from
 * -32768 to 32767. The compiler takes the two offsets back out of the bias. */
#include "rw_expand.h"

#include <string.h>

#include "rw_simd.h"

static inline struct rw_four rw_expand_word(uint32_t bytes)
{
    struct rw_four four;
#if RW_SIMD
    uint32_t odd;
    uint32_t even;
    __asm__("sxtb16 %[odd], %[bytes], ror #8\n\t"
            "uxtb16 %[even], %[bytes]\n\t"
            "lsl %[even], %[even], #8\n\t"
            "ssub16 %[even], %[even], %[odd]\n\t"
            "sadd16 %[even], %[even], %[c127]\n\t"
            "sadd16 %[odd], %[odd], %[c129]"
            : [odd] "=&r"(odd), [even] "=&r"(even)
            : [bytes] "r"(bytes), [c127] "r"(0x007F007Fu), [c129] "r"(0x00810081u));
    four.odd = odd;
    four.even = even;
#else
    const int32_t x0 = (int8_t)(uint8_t)bytes;
    const int32_t x1 = (int8_t)(uint8_t)(bytes >> 8);
    const int32_t x2 = (int8_t)(uint8_t)(bytes >> 16);
    const int32_t x3 = (int8_t)(uint8_t)(bytes >> 24);
    four.odd = (uint32_t)(uint16_t)(x1 + 129) | (uint32_t)(uint16_t)(x3 + 129) << 16;
    four.even = (uint32_t)(uint16_t)(256 * x0 - x1 + 127) | (uint32_t)(uint16_t)(256 * x2 - x3 + 127) << 16;
#endif
    return four;
}

static uint32_t rw_bytes_at(const int8_t *row, int32_t length, int32_t first, int8_t zero)
{
    uint32_t bytes = 0;
    for (int32_t i = 0; i < 4; ++i) {
        const int32_t at = first + i;
        const int8_t x = at >= 0 && at < length ? row[at] : zero;
        bytes |= (uint32_t)(uint8_t)x << (8 * i);
    }
    return bytes;
}

void rw_expand(const int8_t *row, int32_t length, int32_t first, size_t groups, int8_t zero, struct rw_four *out)
{
    const struct rw_four *const end = out + groups;
    for (; out < end && first < 0; ++out, first += 4) {
        *out = rw_expand_word(rw_bytes_at(row, length, first, zero));
    }
    for (; out < end && first + 4 <= length; ++out, first += 4) {
        uint32_t bytes;
        memcpy(&bytes, row + first, sizeof bytes);
        *out = rw_expand_word(bytes);
    }
    for (; out < end; ++out, first += 4) {
        *out = rw_expand_word(rw_bytes_at(row, length, first, zero));
    }
}
