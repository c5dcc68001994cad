/* out[h][i][j][k] = row(a[h][i][j], b[h][i][j])[k], where a dimension of step 0 repeats one element. */
#include "rw_broadcast.h"

void rw_broadcast(const struct rw_extent *extent, rw_row *row, const void *op, const int8_t *a, const int8_t *b,
                  int8_t *out)
{
    const uint16_t *n = extent->counts, *p = extent->a_steps, *q = extent->b_steps;
    for (size_t h = 0; h < n[0]; ++h) {
        for (size_t i = 0; i < n[1]; ++i) {
            for (size_t j = 0; j < n[2]; ++j, out += n[3]) {
                row(op, a + h * p[0] + i * p[1] + j * p[2], p[3], b + h * q[0] + i * q[1] + j * q[2], q[3], out, n[3]);
            }
        }
    }
}
