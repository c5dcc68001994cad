/* The walk over a convolution's outputs; the products are rw_product.c's. y, x: outputs, r: rows of inputs. */
#include "rw_convolve.h"

#include <stddef.h>

/* A row of inputs, or NULL where it lies in the padding. */
static const int8_t *rw_row(const struct rw_convolution *op, const int8_t *in, int32_t y)
{
    const int32_t width = (int32_t)op->in_width * op->in_channels;
    return y >= 0 && y < op->in_height ? in + y * width : NULL;
}

static void rw_expand_taps(const struct rw_convolution *op, const int8_t *row, struct rw_four *out)
{
    const int32_t channels = op->in_channels;
    const size_t groups = (size_t)(channels + 3) / 4;
    const int32_t taps = (int32_t)(op->row_groups / groups);
    for (int32_t tap = -op->pad_left; tap < taps - op->pad_left; ++tap, out += groups) {
        const int inside = row != NULL && tap >= 0 && tap < op->in_width;
        rw_expand(inside ? row + tap * channels : NULL, inside ? channels : 0, 0, groups, op->zero, out);
    }
}

/* Expands from `column` elements into the padded row on. */
static void rw_expand_rows(const struct rw_convolution *op, const int8_t *in, int32_t y, int32_t column,
                           struct rw_four *out)
{
    const int32_t width = (int32_t)op->in_width * op->in_channels;
    const int32_t first = column - (int32_t)op->pad_left * op->in_channels;
    for (int32_t r = 0; r < op->rows; ++r, out += op->row_groups) {
        const int8_t *row = rw_row(op, in, y + r);
        if (op->layout == RW_TAPS) {
            rw_expand_taps(op, row, out);
        } else {
            rw_expand(row, row == NULL ? 0 : width, first, op->row_groups, op->zero, out);
        }
    }
}

void rw_convolve(const struct rw_convolution *op, const int8_t *in, struct rw_four *scratch, int8_t *out)
{
    struct rw_window window = {scratch, op->positions, op->n_positions, op->kernel_height, op->row_groups};
    for (int32_t y = 0; y < op->out_height; ++y) {
        const int32_t top = y * op->row_step - op->pad_top;
        if (op->layout != RW_WINDOWS) {
            rw_expand_rows(op, in, top, 0, scratch);
        }
        window.x = scratch;
        for (int32_t x = 0; x < op->out_width; ++x, out += op->out_channels) {
            if (op->layout == RW_WINDOWS) {
                rw_expand_rows(op, in, top, x * op->column_step, scratch);
            }
            int8_t *rows = out;
            for (const struct rw_band *band = op->bands; band < op->bands + op->n_bands; ++band) {
                band->run(band, &window, rows);
                rows += band->tiles * band->tile_rows;
            }
            if (op->layout != RW_WINDOWS) {
                window.x += op->column_step;
            }
        }
    }
}
