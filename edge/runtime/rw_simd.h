/* The few SIMD instructions of the Cortex-M4 that the kernels are built of, each with its plain twin.
 * Source: Armv7-M Architecture Reference Manual (SXTB16, SMLAD, SMMULR, SSAT); all arithmetic is modulo 2^32. */
#ifndef RW_SIMD_H
#define RW_SIMD_H

#include <stdint.h>

#if defined(__ARM_FEATURE_DSP)
#define RW_SIMD 1
#else
#define RW_SIMD 0
#endif

static inline int32_t rw_low(uint32_t lanes)
{
    return (int16_t)(uint16_t)lanes;
}

static inline int32_t rw_high(uint32_t lanes)
{
    return (int16_t)(uint16_t)(lanes >> 16);
}

/* sum + low(a) * low(b) + high(a) * high(b). */
static inline int32_t rw_smlad(uint32_t a, uint32_t b, int32_t sum)
{
#if RW_SIMD
    __asm__("smlad %0, %1, %2, %0" : "+r"(sum) : "r"(a), "r"(b));
    return sum;
#else
    return (int32_t)((uint32_t)sum + (uint32_t)(rw_low(a) * rw_low(b)) + (uint32_t)(rw_high(a) * rw_high(b)));
#endif
}

/* The bytes 0 and 2 as lanes of 16 bits, sign kept. */
static inline uint32_t rw_sxtb16(uint32_t bytes)
{
#if RW_SIMD
    uint32_t lanes;
    __asm__("sxtb16 %0, %1" : "=r"(lanes) : "r"(bytes));
    return lanes;
#else
    return (uint32_t)(uint16_t)(int8_t)(uint8_t)bytes | (uint32_t)(uint16_t)(int8_t)(uint8_t)(bytes >> 16) << 16;
#endif
}

/* a * b / 2^32, rounded half up. */
static inline int32_t rw_smmulr(int32_t a, int32_t b)
{
#if RW_SIMD
    int32_t product;
    __asm__("smmulr %0, %1, %2" : "=r"(product) : "r"(a), "r"(b));
    return product;
#else
    return (int32_t)(((int64_t)a * b + (INT64_C(1) << 31)) >> 32);
#endif
}

/* x / 2, rounded down, held within int8. */
static inline int32_t rw_halve_to_int8(int32_t x)
{
#if RW_SIMD
    int32_t held;
    __asm__("ssat %0, #8, %1, asr #1" : "=r"(held) : "r"(x));
    return held;
#else
    const int32_t half = x >> 1;
    return half < INT8_MIN ? INT8_MIN : half > INT8_MAX ? INT8_MAX : half;
#endif
}

#endif
