/* One tensor laid beside others along a dimension. */
#ifndef RW_CONCATENATE_H
#define RW_CONCATENATE_H

#include <stddef.h>
#include <stdint.h>

/* out: where the first row of this tensor begins; step: bytes of a row of all tensors. */
void rw_concatenate(const int8_t *in, size_t rows, size_t bytes, int8_t *out, size_t step);

#endif
