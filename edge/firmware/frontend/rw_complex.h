/* Complex numbers of two floats, and what <math.h> would be asked for beside: a Cortex-M4F has it as one
 * instruction. */
#ifndef RW_COMPLEX_H
#define RW_COMPLEX_H

struct rw_complex {
    float re, im;
};

static inline struct rw_complex rw_plus(struct rw_complex a, struct rw_complex b)
{
    return (struct rw_complex){a.re + b.re, a.im + b.im};
}

static inline struct rw_complex rw_minus(struct rw_complex a, struct rw_complex b)
{
    return (struct rw_complex){a.re - b.re, a.im - b.im};
}

static inline struct rw_complex rw_times(struct rw_complex a, struct rw_complex b)
{
    return (struct rw_complex){a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re};
}

static inline struct rw_complex rw_conjugate(struct rw_complex a)
{
    return (struct rw_complex){a.re, -a.im};
}

static inline float rw_squared_modulus(struct rw_complex a)
{
    return a.re * a.re + a.im * a.im;
}

/* Square root of x >= 0. The compiler's own calls libm too, to report what is negative. */
static inline float rw_root(float x)
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
