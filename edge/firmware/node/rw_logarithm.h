/* Natural logarithm and exponential in single precision, without a library of mathematics; within 3e-7 of the value. */
#ifndef RW_LOGARITHM_H
#define RW_LOGARITHM_H

/* ln x of a normal x > 0. */
float rw_logarithm(float x);

/* exp(x) - 1 for |x| <= 80; near 0 as exact as elsewhere. */
float rw_exponential_less_1(float x);

/* The square root of x >= 0. The compiler's own would call libm too, to report what is negative. */
static inline float rw_square_root(float x)
{
#if defined(__ARM_FP) && !defined(__aarch64__)
    float root;
    __asm__("vsqrt.f32 %0, %1" : "=t"(root) : "t"(x));
    return root;
#else
    return __builtin_sqrtf(x);
#endif
}

#endif
