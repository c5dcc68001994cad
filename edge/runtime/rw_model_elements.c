/* Packed calls of kernels that go over elements: sums, products, tables, copies, changes between floats and int8. */
#include "rw_add.h"
#include "rw_concatenate.h"
#include "rw_lookup.h"
#include "rw_model_parts.h"
#include "rw_multiply.h"
#include "rw_quantise.h"

#define RW_DIMENSIONS 4u
#define RW_BYTES_OF_FLOAT 4u

/* Elements that a walk reaches from the first; an argument of rw_add or rw_multiply. */
static uint64_t rw_reach(const uint16_t *counts, const uint16_t *steps)
{
    uint64_t reach = 1;
    for (size_t i = 0; i < RW_DIMENSIONS; ++i) {
        reach += (uint64_t)(counts[i] - 1) * steps[i];
    }
    return reach;
}

static enum rw_model_status rw_check_extent(const struct rw_model_opening *opening, const struct rw_model_step *step,
                                            const struct rw_extent *extent)
{
    const uint16_t *tables[] = {extent->counts, extent->a_steps, extent->b_steps};
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; ++i) {
        if (!rw_model_holds(opening, tables[i], RW_DIMENSIONS * sizeof(uint16_t), sizeof(uint16_t))) {
            return RW_MODEL_BAD_TABLE;
        }
    }
    uint64_t elements = 1;
    for (size_t i = 0; i < RW_DIMENSIONS; ++i) {
        elements *= extent->counts[i];
    }
    if (elements == 0) {
        return RW_MODEL_BAD_TABLE;
    }
    const bool apart =
        rw_model_moves(opening, step, 1, rw_reach(extent->counts, extent->a_steps), 3, elements) &&
        rw_model_moves(opening, step, 2, rw_reach(extent->counts, extent->b_steps), 3, elements);
    return apart ? RW_MODEL_OK : RW_MODEL_BAD_PLACE;
}

/* Of inputs with 20 more bits, shifted to the right, sums fit. */
static bool rw_scales_down(int32_t multiplier, int32_t shift)
{
    return rw_model_scales(multiplier, shift) && shift <= 0;
}

static enum rw_model_status rw_check_add(struct rw_model_opening *opening, struct rw_model_step *step)
{
    const struct rw_add *op = step->record;
    if (!rw_scales_down(op->a_multiplier, op->a_shift) || !rw_scales_down(op->b_multiplier, op->b_shift) ||
        !rw_scales_down(op->out_multiplier, op->out_shift) || !rw_model_is_int8(op->a_zero) ||
        !rw_model_is_int8(op->b_zero)) {
        return RW_MODEL_BAD_NUMBER;
    }
    return rw_check_extent(opening, step, &op->extent);
}

static void rw_run_add(const struct rw_model *model, const struct rw_model_step *step, int8_t *arena)
{
    rw_add(step->record, rw_model_from(model, step, 1, arena), rw_model_from(model, step, 2, arena),
           rw_model_to(step, 3, arena));
}

const struct rw_model_kernel rw_model_add = {RW_MODEL_ID_ADD, RW_MODEL_LAYOUT(struct rw_add, a_multiplier, out_zero),
                                             rw_check_add, rw_run_add};

static enum rw_model_status rw_check_multiply(struct rw_model_opening *opening, struct rw_model_step *step)
{
    const struct rw_multiply *op = step->record;
    /* A product of 255 * 255, shifted to the left by 15, fits. */
    if (!rw_model_scales(op->multiplier, op->shift) || op->shift > 15 || !rw_model_is_int8(op->a_zero) ||
        !rw_model_is_int8(op->b_zero)) {
        return RW_MODEL_BAD_NUMBER;
    }
    return rw_check_extent(opening, step, &op->extent);
}

static void rw_run_multiply(const struct rw_model *model, const struct rw_model_step *step, int8_t *arena)
{
    rw_multiply(step->record, rw_model_from(model, step, 1, arena), rw_model_from(model, step, 2, arena),
                rw_model_to(step, 3, arena));
}

const struct rw_model_kernel rw_model_multiply = {
    RW_MODEL_ID_MULTIPLY, RW_MODEL_LAYOUT(struct rw_multiply, multiplier, out_zero), rw_check_multiply,
    rw_run_multiply};

/* in, rows, bytes of a row, out, bytes from a row of the output to the next. */
static enum rw_model_status rw_check_concatenate(struct rw_model_opening *opening, struct rw_model_step *step)
{
    const uint32_t rows = step->call->arguments[1], bytes = step->call->arguments[2], next = step->call->arguments[4];
    if (rows == 0 || bytes == 0 || bytes > next) {
        return RW_MODEL_BAD_NUMBER;
    }
    const uint64_t reach = (uint64_t)(rows - 1) * next + bytes;
    return rw_model_moves(opening, step, 0, (uint64_t)rows * bytes, 3, reach) ? RW_MODEL_OK : RW_MODEL_BAD_PLACE;
}

static void rw_run_concatenate(const struct rw_model *model, const struct rw_model_step *step, int8_t *arena)
{
    const uint32_t *arguments = step->call->arguments;
    rw_concatenate(rw_model_from(model, step, 0, arena), arguments[1], arguments[2], rw_model_to(step, 3, arena),
                   arguments[4]);
}

const struct rw_model_kernel rw_model_concatenate = {
    RW_MODEL_ID_CONCATENATE, {0, 0, 0}, rw_check_concatenate, rw_run_concatenate};

/* table, in, out, elements. */
static enum rw_model_status rw_check_lookup(struct rw_model_opening *opening, struct rw_model_step *step)
{
    const uint32_t *arguments = step->call->arguments;
    if (arguments[0] > opening->bytes || !rw_model_holds(opening, opening->blob + arguments[0], 256, 1)) {
        return RW_MODEL_BAD_TABLE;
    }
    step->record = opening->blob + arguments[0];
    return rw_model_moves(opening, step, 1, arguments[3], 2, arguments[3]) ? RW_MODEL_OK : RW_MODEL_BAD_PLACE;
}

static void rw_run_lookup(const struct rw_model *model, const struct rw_model_step *step, int8_t *arena)
{
    rw_lookup(step->record, rw_model_from(model, step, 1, arena), rw_model_to(step, 2, arena),
              step->call->arguments[3]);
}

const struct rw_model_kernel rw_model_lookup = {RW_MODEL_ID_LOOKUP, {0, 0, 0}, rw_check_lookup, rw_run_lookup};

static enum rw_model_status rw_check_quantised(struct rw_model_opening *opening, struct rw_model_step *step,
                                               uint32_t from_bytes, uint32_t to_bytes)
{
    const struct rw_quantise *op = step->record;
    /* A scale that is no number is not above 0. */
    if (!(op->scale > 0.0f && op->scale <= 3.4e38f) || !rw_model_is_int8(op->zero)) {
        return RW_MODEL_BAD_NUMBER;
    }
    const bool apart = rw_model_moves(opening, step, 1, (uint64_t)op->n * from_bytes, 2, (uint64_t)op->n * to_bytes);
    return apart ? RW_MODEL_OK : RW_MODEL_BAD_PLACE;
}

static enum rw_model_status rw_check_quantise(struct rw_model_opening *opening, struct rw_model_step *step)
{
    return rw_check_quantised(opening, step, RW_BYTES_OF_FLOAT, 1);
}

static void rw_run_quantise(const struct rw_model *model, const struct rw_model_step *step, int8_t *arena)
{
    rw_quantise(step->record, rw_model_from(model, step, 1, arena), rw_model_to(step, 2, arena));
}

const struct rw_model_kernel rw_model_quantise = {
    RW_MODEL_ID_QUANTISE, RW_MODEL_LAYOUT(struct rw_quantise, scale, zero), rw_check_quantise, rw_run_quantise};

static enum rw_model_status rw_check_dequantise(struct rw_model_opening *opening, struct rw_model_step *step)
{
    return rw_check_quantised(opening, step, 1, RW_BYTES_OF_FLOAT);
}

static void rw_run_dequantise(const struct rw_model *model, const struct rw_model_step *step, int8_t *arena)
{
    rw_dequantise(step->record, rw_model_from(model, step, 1, arena), rw_model_to(step, 2, arena));
}

const struct rw_model_kernel rw_model_dequantise = {
    RW_MODEL_ID_DEQUANTISE, RW_MODEL_LAYOUT(struct rw_quantise, scale, zero), rw_check_dequantise, rw_run_dequantise};
