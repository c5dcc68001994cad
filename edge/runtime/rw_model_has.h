/* What a firmware runs of packed models: kernels, and forms of the product (struct rw_form), each a function in flash.
 *
 * A firmware that is to hold less, or other forms, is built with -DRW_MODEL_HAS='"its_own.h"', a file of the same three
 * macros. Whoever packs a model for it hands over the same file, and only what it has is used. */
#ifndef RW_MODEL_HAS_H
#define RW_MODEL_HAS_H

#ifdef RW_MODEL_HAS
#include RW_MODEL_HAS
#else

/* X(kernel): the function rw_<kernel>. */
#define RW_MODEL_KERNELS(X)                                                                                            \
    X(add)                                                                                                             \
    X(average_pool)                                                                                                    \
    X(concatenate)                                                                                                     \
    X(convolve)                                                                                                        \
    X(convolve_plain)                                                                                                  \
    X(depthwise)                                                                                                       \
    X(dequantise)                                                                                                      \
    X(lookup)                                                                                                          \
    X(max_pool)                                                                                                        \
    X(mean)                                                                                                            \
    X(multiply)                                                                                                        \
    X(quantise)                                                                                                        \
    X(softmax)

/* X(rows, sparse, pooled, one_segment, per_row, clamped), as in struct rw_form. A form that is pooled, has several
 * segments or is clamped computes also what is not. Of each kind of tile: dense layers with one scale, layers with a
 * scale for each row, the same pooled, and one form that computes all that has a scale for each row. */
#define RW_MODEL_FORMS(X)                                                                                              \
    X(4, 0, 0, 1, 0, 0)                                                                                                \
    X(4, 0, 0, 1, 1, 0)                                                                                                \
    X(4, 0, 1, 1, 1, 0)                                                                                                \
    X(4, 0, 1, 0, 1, 1)                                                                                                \
    X(1, 0, 0, 1, 0, 0)                                                                                                \
    X(1, 0, 0, 1, 1, 0)                                                                                                \
    X(1, 0, 1, 1, 1, 0)                                                                                                \
    X(1, 0, 1, 0, 1, 1)                                                                                                \
    X(4, 1, 0, 1, 0, 0)                                                                                                \
    X(4, 1, 0, 1, 1, 0)                                                                                                \
    X(4, 1, 1, 1, 1, 0)                                                                                                \
    X(4, 1, 1, 0, 1, 1)                                                                                                \
    X(2, 1, 0, 1, 0, 0)                                                                                                \
    X(2, 1, 0, 1, 1, 0)                                                                                                \
    X(2, 1, 1, 1, 1, 0)                                                                                                \
    X(2, 1, 1, 0, 1, 1)                                                                                                \
    X(1, 1, 0, 1, 0, 0)                                                                                                \
    X(1, 1, 0, 1, 1, 0)                                                                                                \
    X(1, 1, 1, 1, 1, 0)                                                                                                \
    X(1, 1, 1, 0, 1, 1)

/* Whether there is rw_exact, for rows that no form holds. */
#define RW_MODEL_EXACT 1

#endif
#endif
