/* Packed calls of rw_convolve: its bands are rebuilt behind its struct, and all that they read is checked once. */
#include "rw_convolve.h"

#include "rw_model_parts.h"

/* Shifts less one; beyond, the zero point would be shifted out of int32. */
#define RW_MOST_SHIFT 21u
#define RW_MOST_PLACE (1u << 30)

static const struct rw_model_layout rw_band_layout = RW_MODEL_LAYOUT(struct rw_band, tiles, highest);

static struct rw_form rw_form_from(uint32_t id)
{
    const struct rw_form exact = {1, true, true, false, false, true};
    const struct rw_form form = {id & 7u,         id >> 3 & 1u, id >> 4 & 1u,
                                 id >> 5 & 1u, id >> 6 & 1u, id >> 7 & 1u};
    return id == RW_MODEL_ID_EXACT ? exact : form;
}

/* Counts of groups, how far each lies, and their words. */
static bool rw_sparse_holds(const struct rw_model_opening *opening, const struct rw_band *band, uint32_t segments)
{
    const uint32_t n = band->tiles * segments;
    uint32_t groups = 0;
    if (!rw_model_holds(opening, band->counts, n, 1)) {
        return false;
    }
    for (uint32_t i = 0; i < n; ++i) {
        groups += band->counts[i];
    }
    if (!rw_model_holds(opening, band->steps, groups, 1) ||
        !rw_model_holds(opening, band->weights, 4u * (uint64_t)groups * band->tile_rows, 4)) {
        return false;
    }
    const uint8_t *steps = band->steps;
    for (uint32_t i = 0; i < n; ++i) {
        uint32_t at = 0;
        for (uint32_t left = band->counts[i]; left > 0; --left) {
            at += *steps++;
        }
        if (at >= band->groups) {
            return false;
        }
    }
    return true;
}

static bool rw_weights_hold(const struct rw_model_opening *opening, const struct rw_band *band, uint32_t segments,
                            bool sparse)
{
    if (sparse) {
        return rw_sparse_holds(opening, band, segments);
    }
    const uint64_t words = (uint64_t)band->tiles * segments * band->groups * band->tile_rows;
    return rw_model_holds(opening, band->weights, 4u * words, 4);
}

/* Bias, multiplier and shift of each row. */
static bool rw_exact_rows_hold(const struct rw_model_opening *opening, const struct rw_band *band)
{
    const size_t words = 3u * (size_t)band->tiles;
    if (!rw_model_holds(opening, band->rows, 4u * words, 4)) {
        return false;
    }
    for (size_t i = 0; i < words; i += 3) {
        if (band->rows[i + 2] < 0 || band->rows[i + 2] > 31 || !rw_model_scales(band->rows[i + 1], 0)) {
            return false;
        }
    }
    return true;
}

/* Where each row has a scale, the last byte of its bias is a shift. */
static bool rw_rows_hold(const struct rw_model_opening *opening, const struct rw_band *band, struct rw_form form)
{
    const size_t rows = (size_t)band->tiles * form.rows;
    if (!form.per_row) {
        return rw_model_holds(opening, band->rows, 4u * (rows + 1u), 4) && band->shift <= RW_MOST_SHIFT;
    }
    if (!rw_model_holds(opening, band->rows, 8u * rows, 4)) {
        return false;
    }
    for (size_t i = 0; i < rows; ++i) {
        const size_t bias = i / form.rows * 2u * form.rows + i % form.rows;
        if (((uint32_t)band->rows[bias] & 0xFFu) > RW_MOST_SHIFT) {
            return false;
        }
    }
    return true;
}

static enum rw_model_status rw_check_band(const struct rw_model_opening *opening, const struct rw_convolution *op,
                                          const struct rw_band *band, uint32_t id)
{
    const struct rw_form form = rw_form_from(id);
    if (band->tiles == 0 || band->groups == 0 || band->tile_rows != form.rows || band->offset < -255 ||
        band->offset > 255 || (op->n_positions > 1 && !form.pooled) || (op->kernel_height > 1 && form.one_segment)) {
        return RW_MODEL_BAD_NUMBER;
    }
    const bool rows = id == RW_MODEL_ID_EXACT ? rw_exact_rows_hold(opening, band) : rw_rows_hold(opening, band, form);
    return rows && rw_weights_hold(opening, band, op->kernel_height, form.sparse) ? RW_MODEL_OK : RW_MODEL_BAD_TABLE;
}

static enum rw_model_status rw_open_band(struct rw_model_opening *opening, const struct rw_convolution *op,
                                         uint32_t offset, const struct rw_band **out)
{
    /* The form, in the place of its function. */
    const uint32_t *record = (const void *)(opening->blob + offset);
    void *rebuilt;
    enum rw_model_status status = rw_model_rebuild(opening, offset, &rw_band_layout, 1, &rebuilt);
    if (status != RW_MODEL_OK) {
        return status;
    }
    struct rw_band *band = rebuilt;
    band->run = rw_model_form_of(*record);
    if (band->run == NULL) {
        return RW_MODEL_LACKS;
    }
    *out = band;
    return rw_check_band(opening, op, band, *record);
}

/* How far windows reach into the expanded rows, in groups, but for those of a band. */
static bool rw_windows_hold(const struct rw_model_opening *opening, const struct rw_convolution *op,
                            const struct rw_model_step *step, uint64_t *reach)
{
    const uint32_t moves = op->layout == RW_WINDOWS ? 0 : (op->out_width - 1u) * op->column_step;
    uint32_t farthest = 0;
    for (size_t p = 0; p < op->n_positions; ++p) {
        farthest = op->positions[p] > farthest ? op->positions[p] : farthest;
    }
    *reach = (uint64_t)moves + farthest + (op->kernel_height - 1u) * (uint32_t)op->row_groups;
    const uint64_t scratch = (uint64_t)op->rows * op->row_groups * sizeof(struct rw_four);
    const uint64_t in = (uint64_t)op->in_height * op->in_width * op->in_channels;
    const uint64_t out = (uint64_t)op->out_height * op->out_width * op->out_channels;
    return step->call->arguments[2] % sizeof(struct rw_four) == 0 &&
           rw_model_moves(opening, step, 1, in, 2, scratch) && rw_model_moves(opening, step, 2, scratch, 3, out) &&
           rw_model_moves(opening, step, 1, in, 3, out);
}

static bool rw_numbers_hold(const struct rw_convolution *op)
{
    /* What the taps of a row take: all of it is expanded. */
    const uint32_t tap = op->layout == RW_TAPS ? (op->in_channels + 3u) / 4u : 1u;
    return op->out_height != 0 && op->out_width != 0 && op->out_channels != 0 && op->in_channels != 0 &&
           op->kernel_height != 0 && op->n_positions != 0 && op->pad_top >= 0 && op->pad_left >= 0 &&
           op->layout <= RW_WINDOWS &&
           (uint32_t)op->out_height * op->row_step < RW_MOST_PLACE &&
           (uint32_t)op->out_width * op->column_step < RW_MOST_PLACE && op->row_groups % tap == 0;
}

static enum rw_model_status rw_check_convolve(struct rw_model_opening *opening, struct rw_model_step *step)
{
    const struct rw_model_call *call = step->call;
    struct rw_convolution *op = (struct rw_convolution *)(uintptr_t)step->record;
    uint64_t reach;
    if (op->n_bands != call->bands || !rw_numbers_hold(op)) {
        return RW_MODEL_BAD_NUMBER;
    }
    if (!rw_model_holds(opening, op->positions, 2u * (uint64_t)op->n_positions, 2)) {
        return RW_MODEL_BAD_TABLE;
    }
    if (!rw_windows_hold(opening, op, step, &reach)) {
        return RW_MODEL_BAD_PLACE;
    }
    const uint32_t first = (uint32_t)((const uint8_t *)op->bands - opening->blob);
    uint32_t outputs = 0;
    op->bands = (const struct rw_band *)(const void *)opening->memory;
    for (uint32_t i = 0; i < call->bands; ++i) {
        const struct rw_band *band;
        const uint32_t record = rw_band_layout.pointers * 4u + rw_band_layout.numbers;
        const enum rw_model_status status = rw_open_band(opening, op, first + i * record, &band);
        if (status != RW_MODEL_OK) {
            return status;
        }
        if (reach + band->groups > (uint64_t)op->rows * op->row_groups) {
            return RW_MODEL_BAD_NUMBER;
        }
        outputs += (uint32_t)band->tiles * band->tile_rows;
    }
    return outputs == op->out_channels ? RW_MODEL_OK : RW_MODEL_BAD_NUMBER;
}

static void rw_run_convolve(const struct rw_model *model, const struct rw_model_step *step, int8_t *arena)
{
    rw_convolve(step->record, rw_model_from(model, step, 1, arena),
                (struct rw_four *)(void *)rw_model_to(step, 2, arena), rw_model_to(step, 3, arena));
}

const struct rw_model_kernel rw_model_convolve = {
    RW_MODEL_ID_CONVOLVE, RW_MODEL_LAYOUT(struct rw_convolution, n_bands, zero), rw_check_convolve, rw_run_convolve};
