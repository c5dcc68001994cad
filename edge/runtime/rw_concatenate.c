/* out[r][b] = in[r][b]. r: all dimensions before the one that is concatenated, b: that one and those after it. */
#include "rw_concatenate.h"

#include <string.h>

void rw_concatenate(const int8_t *in, size_t rows, size_t bytes, int8_t *out, size_t step)
{
    for (size_t r = 0; r < rows; ++r) {
        memcpy(out + r * step, in + r * bytes, bytes);
    }
}
