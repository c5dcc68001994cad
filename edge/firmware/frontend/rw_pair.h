/* Numbers of two floats, high + low, |low| <= ulp(high) / 2: some 46 bits, for sums of thousands and for the few
 * products that decide which bins belong to a line. A compiler that may reorder float arithmetic (-ffast-math) undoes
 * them. Source: Dekker, Numer. Math. 18 (1971) 224-242; Knuth, The Art of Computer Programming 2, section 4.2.2.
 */
#ifndef RW_PAIR_H
#define RW_PAIR_H

struct rw_pair {
    float high, low;
};

/* a + b without error. */
static inline struct rw_pair rw_exact_sum(float a, float b)
{
    const float sum = a + b, of_b = sum - a;
    return (struct rw_pair){sum, (a - (sum - of_b)) + (b - of_b)};
}

/* a b without error, for |a|, |b| below 2^100. */
static inline struct rw_pair rw_exact_product(float a, float b)
{
    const float split = 4097.0f, wide_a = split * a, wide_b = split * b; /* 2^12 + 1: halves of 12 bits */
    const float a_high = wide_a - (wide_a - a), a_low = a - a_high;
    const float b_high = wide_b - (wide_b - b), b_low = b - b_high;
    const float product = a * b;
    const float error = ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low;
    return (struct rw_pair){product, error};
}

static inline struct rw_pair rw_pair_sum(struct rw_pair a, struct rw_pair b)
{
    const struct rw_pair sum = rw_exact_sum(a.high, b.high);
    return rw_exact_sum(sum.high, sum.low + (a.low + b.low));
}

static inline struct rw_pair rw_pair_product(struct rw_pair a, struct rw_pair b)
{
    const struct rw_pair product = rw_exact_product(a.high, b.high);
    return rw_exact_sum(product.high, product.low + (a.high * b.low + a.low * b.high));
}

/* a / b, b not 0. */
static inline struct rw_pair rw_exact_ratio(float a, float b)
{
    const float ratio = a / b;
    const struct rw_pair back = rw_exact_product(ratio, b);
    return rw_exact_sum(ratio, ((a - back.high) - back.low) / b);
}

/* sum += x: what single precision loses gathers in low. */
static inline void rw_add(struct rw_pair *sum, float x)
{
    const struct rw_pair next = rw_exact_sum(sum->high, x);
    sum->high = next.high;
    sum->low += next.low;
}

static inline float rw_value(struct rw_pair sum)
{
    return sum.high + sum.low;
}

#endif
