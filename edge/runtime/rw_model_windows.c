/* Packed calls of kernels that reduce: windows of pools and convolutions, means, softmax. */
#include "rw_convolve_plain.h"
#include "rw_depthwise.h"
#include "rw_mean.h"
#include "rw_model_parts.h"
#include "rw_pool.h"
#include "rw_softmax.h"

/* As many elements or taps as sums of products of 9 and 8 bits hold in 32. */
#define RW_MOST_TAPS 65536u
#define RW_MOST_REACH (1u << 20)

/* Windows along one dimension: each has an element inside, and no place of a tap leaves 32 bits. */
struct rw_axis {
    uint32_t in;
    uint32_t out;
    uint32_t window;
    uint32_t stride;
    uint32_t dilation;
    int32_t pad;
};

static bool rw_axis_holds(struct rw_axis a)
{
    if (a.in == 0 || a.out == 0 || a.window == 0 || a.stride == 0 || a.dilation == 0 || a.pad < 0) {
        return false;
    }
    const uint32_t reach = (a.window - 1) * a.dilation + 1, pad = (uint32_t)a.pad;
    return reach <= RW_MOST_REACH && pad < reach && (a.out - 1) * a.stride < a.in + pad;
}

static uint64_t rw_volume(uint32_t height, uint32_t width, uint32_t channels)
{
    return (uint64_t)height * width * channels;
}

static enum rw_model_status rw_check_pool(struct rw_model_opening *opening, struct rw_model_step *step)
{
    const struct rw_pool *op = step->record;
    const struct rw_axis down = {op->in_height, op->out_height, op->window_height, op->stride_height, 1, op->pad_top};
    const struct rw_axis across = {op->in_width, op->out_width, op->window_width, op->stride_width, 1, op->pad_left};
    if (!rw_axis_holds(down) || !rw_axis_holds(across) || op->channels == 0) {
        return RW_MODEL_BAD_NUMBER;
    }
    return rw_model_moves(opening, step, 1, rw_volume(op->in_height, op->in_width, op->channels), 2,
                          rw_volume(op->out_height, op->out_width, op->channels))
               ? RW_MODEL_OK
               : RW_MODEL_BAD_PLACE;
}

static void rw_run_max_pool(const struct rw_model *model, const struct rw_model_step *step, int8_t *arena)
{
    rw_max_pool(step->record, rw_model_from(model, step, 1, arena), rw_model_to(step, 2, arena));
}

static void rw_run_average_pool(const struct rw_model *model, const struct rw_model_step *step, int8_t *arena)
{
    rw_average_pool(step->record, rw_model_from(model, step, 1, arena), rw_model_to(step, 2, arena));
}

#define RW_POOL_LAYOUT RW_MODEL_LAYOUT(struct rw_pool, in_height, highest)
const struct rw_model_kernel rw_model_max_pool = {RW_MODEL_ID_MAX_POOL, RW_POOL_LAYOUT, rw_check_pool,
                                                  rw_run_max_pool};
const struct rw_model_kernel rw_model_average_pool = {RW_MODEL_ID_AVERAGE_POOL, RW_POOL_LAYOUT, rw_check_pool,
                                                      rw_run_average_pool};

/* What plain and depthwise convolutions keep for each output. */
static enum rw_model_status rw_check_outputs(const struct rw_model_opening *opening, uint64_t outputs,
                                             const int32_t *bias, const int32_t *multipliers, const int8_t *shifts)
{
    if (!rw_model_holds(opening, bias, 4u * outputs, 4) || !rw_model_holds(opening, multipliers, 4u * outputs, 4) ||
        !rw_model_holds(opening, shifts, outputs, 1)) {
        return RW_MODEL_BAD_TABLE;
    }
    for (size_t o = 0; o < outputs; ++o) {
        if (!rw_model_scales(multipliers[o], shifts[o])) {
            return RW_MODEL_BAD_TABLE;
        }
    }
    return RW_MODEL_OK;
}

static enum rw_model_status rw_check_depthwise(struct rw_model_opening *opening, struct rw_model_step *step)
{
    const struct rw_depthwise *op = step->record;
    const struct rw_axis down = {op->in_height, op->out_height, op->kernel_height, op->stride_height,
                                 op->dilation_height, op->pad_top};
    const struct rw_axis across = {op->in_width, op->out_width, op->kernel_width, op->stride_width,
                                   op->dilation_width, op->pad_left};
    const uint64_t taps = rw_volume(op->kernel_height, op->kernel_width, 1);
    const uint64_t outputs = rw_volume(op->channels, op->per_channel, 1);
    /* From the first tap in the padding to the last row: offsets are computed also where nothing is read. */
    const uint64_t rows = (uint64_t)op->in_height + (uint32_t)op->kernel_height * op->dilation_height;
    if (!rw_axis_holds(down) || !rw_axis_holds(across) || taps >= RW_MOST_TAPS || outputs == 0 ||
        !rw_model_is_int8(op->in_zero) ||
        rows * (op->in_width + (uint32_t)op->pad_left) * op->channels >= INT32_MAX / 2) {
        return RW_MODEL_BAD_NUMBER;
    }
    if (!rw_model_holds(opening, op->weights, taps * outputs, 1)) {
        return RW_MODEL_BAD_TABLE;
    }
    const enum rw_model_status status = rw_check_outputs(opening, outputs, op->bias, op->multipliers, op->shifts);
    if (status != RW_MODEL_OK) {
        return status;
    }
    return rw_model_moves(opening, step, 1, rw_volume(op->in_height, op->in_width, op->channels), 2,
                          outputs * op->out_height * op->out_width)
               ? RW_MODEL_OK
               : RW_MODEL_BAD_PLACE;
}

static void rw_run_depthwise(const struct rw_model *model, const struct rw_model_step *step, int8_t *arena)
{
    rw_depthwise(step->record, rw_model_from(model, step, 1, arena), rw_model_to(step, 2, arena));
}

const struct rw_model_kernel rw_model_depthwise = {
    RW_MODEL_ID_DEPTHWISE, RW_MODEL_LAYOUT(struct rw_depthwise, in_height, highest), rw_check_depthwise,
    rw_run_depthwise};

static enum rw_model_status rw_check_plain(struct rw_model_opening *opening, struct rw_model_step *step)
{
    const struct rw_plain_convolution *op = step->record;
    const struct rw_axis down = {op->in_height, op->out_height, op->kernel_height, op->stride_height,
                                 op->dilation_height, op->pad_top};
    const struct rw_axis across = {op->in_width, op->out_width, op->kernel_width, op->stride_width,
                                   op->dilation_width, op->pad_left};
    const uint64_t taps = rw_volume(op->kernel_height, op->kernel_width, op->in_channels);
    if (!rw_axis_holds(down) || !rw_axis_holds(across) || taps == 0 || taps > RW_MODEL_LARGEST ||
        op->out_channels == 0 || !rw_model_is_int8(op->in_zero)) {
        return RW_MODEL_BAD_NUMBER;
    }
    if (!rw_model_holds(opening, op->weights, taps * op->out_channels, 1)) {
        return RW_MODEL_BAD_TABLE;
    }
    const enum rw_model_status status =
        rw_check_outputs(opening, op->out_channels, op->bias, op->multipliers, op->shifts);
    if (status != RW_MODEL_OK) {
        return status;
    }
    return rw_model_moves(opening, step, 1, rw_volume(op->in_height, op->in_width, op->in_channels), 2,
                          rw_volume(op->out_height, op->out_width, op->out_channels))
               ? RW_MODEL_OK
               : RW_MODEL_BAD_PLACE;
}

static void rw_run_plain(const struct rw_model *model, const struct rw_model_step *step, int8_t *arena)
{
    rw_convolve_plain(step->record, rw_model_from(model, step, 1, arena), rw_model_to(step, 2, arena));
}

const struct rw_model_kernel rw_model_convolve_plain = {
    RW_MODEL_ID_CONVOLVE_PLAIN, RW_MODEL_LAYOUT(struct rw_plain_convolution, in_height, highest), rw_check_plain,
    rw_run_plain};

static enum rw_model_status rw_check_mean(struct rw_model_opening *opening, struct rw_model_step *step)
{
    const struct rw_mean *op = step->record;
    const uint64_t averaged = rw_volume(op->rows, op->columns, 1);
    const uint64_t kept = rw_volume(op->outer, op->middle, op->inner);
    /* Sums of 2^23 elements fit, and their offset with them. */
    if (!rw_model_scales(op->multiplier, op->shift) || averaged == 0 || averaged > 1u << 23 || kept == 0 ||
        op->offset > 1 << 30 || op->offset < -(1 << 30)) {
        return RW_MODEL_BAD_NUMBER;
    }
    /* More than an arena has of either is refused here, before the product leaves 64 bits. */
    const uint64_t most = RW_MODEL_LARGEST + 1u;
    return rw_model_moves(opening, step, 1, averaged * (kept < most ? kept : most), 2, kept) ? RW_MODEL_OK
                                                                                             : RW_MODEL_BAD_PLACE;
}

static void rw_run_mean(const struct rw_model *model, const struct rw_model_step *step, int8_t *arena)
{
    rw_mean(step->record, rw_model_from(model, step, 1, arena), rw_model_to(step, 2, arena));
}

const struct rw_model_kernel rw_model_mean = {RW_MODEL_ID_MEAN, RW_MODEL_LAYOUT(struct rw_mean, outer, shift),
                                              rw_check_mean, rw_run_mean};

/* record, in, scratch, out. */
static enum rw_model_status rw_check_softmax(struct rw_model_opening *opening, struct rw_model_step *step)
{
    const struct rw_softmax *op = step->record;
    const uint32_t rows = op->rows, depth = op->depth, scratch = 4u * depth;
    /* Differences reach from 0 to 31 in Q5.26, once they are shifted; rw_exp is of no others. */
    if (op->multiplier < 0 || op->shift > 30 || op->least > 0 || op->least < -((31 << 26) >> op->shift) || rows == 0 ||
        depth == 0 || depth > 511 || step->call->arguments[2] % 4u != 0) {
        return RW_MODEL_BAD_NUMBER;
    }
    const bool apart = rw_model_moves(opening, step, 1, rows * depth, 2, scratch) &&
                       rw_model_moves(opening, step, 2, scratch, 3, rows * depth) &&
                       rw_model_moves(opening, step, 1, rows * depth, 3, rows * depth);
    return apart ? RW_MODEL_OK : RW_MODEL_BAD_PLACE;
}

static void rw_run_softmax(const struct rw_model *model, const struct rw_model_step *step, int8_t *arena)
{
    rw_softmax(step->record, rw_model_from(model, step, 1, arena), (int32_t *)(void *)rw_model_to(step, 2, arena),
               rw_model_to(step, 3, arena));
}

const struct rw_model_kernel rw_model_softmax = {
    RW_MODEL_ID_SOFTMAX, RW_MODEL_LAYOUT(struct rw_softmax, multiplier, shift), rw_check_softmax, rw_run_softmax};
