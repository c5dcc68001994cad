/* Inputs of a product, four at a time, in the form in which its inner loop multiplies them (see rw_product.h). */
#ifndef RW_EXPAND_H
#define RW_EXPAND_H

#include <stddef.h>
#include <stdint.h>

/* x0..x3 of int8, as lanes of int16: odd = (x1 + 129, x3 + 129), even = (256 x0 - x1 + 127, 256 x2 - x3 + 127). */
struct rw_four {
    uint32_t odd;
    uint32_t even;
};

/* Expands `groups` groups from element `first` of a row of `length` elements on; what lies outside it is `zero`. */
void rw_expand(const int8_t *row, int32_t length, int32_t first, size_t groups, int8_t zero, struct rw_four *out);

#endif
