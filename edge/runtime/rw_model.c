/* Order of what is checked: the header, then all lists and sizes that memory is laid out by, then each step by what its
 * kernel reads and writes. Offsets and counts are at most 2^23 once they are checked: sums of them fit 32 bits. */
#include "rw_model.h"

#include <string.h>

#include "rw_model_parts.h"

#define RW_MODEL_ALIGNMENT 8u

static bool rw_is_aligned(const void *pointer)
{
    return pointer != NULL && (uintptr_t)pointer % RW_MODEL_ALIGNMENT == 0;
}

/* Whether `count` parts of so many bytes lie from an offset on, at a multiple of 4. */
static bool rw_has_parts(const struct rw_model_header *header, uint32_t offset, uint32_t count, uint32_t part)
{
    return offset % 4u == 0 && offset <= header->bytes && count <= (header->bytes - offset) / part;
}

static bool rw_end_holds(const struct rw_model_header *header, const struct rw_model_end *end)
{
    if (end->place > header->arena_bytes || end->bytes > header->arena_bytes - end->place || end->bytes == 0) {
        return false;
    }
    /* A scale that is no number is not above 0. */
    return end->type <= RW_MODEL_FLOAT32 && end->scale > 0.0f && end->scale <= 3.4e38f && rw_model_is_int8(end->zero);
}

static enum rw_model_status rw_check_header(const void *blob, size_t bytes)
{
    const struct rw_model_header *header = blob;
    if (!rw_is_aligned(blob)) {
        return RW_MODEL_BAD_ALIGNMENT;
    }
    if (bytes < sizeof *header || bytes > RW_MODEL_LARGEST) {
        return RW_MODEL_BAD_LENGTH;
    }
    if (header->magic != RW_MODEL_MAGIC) {
        return RW_MODEL_BAD_MAGIC;
    }
    if (header->version != RW_MODEL_VERSION) {
        return RW_MODEL_BAD_VERSION;
    }
    if (header->bytes != bytes) {
        return RW_MODEL_BAD_LENGTH;
    }
    if (header->arena_bytes > RW_MODEL_LARGEST || !rw_end_holds(header, &header->input) ||
        !rw_end_holds(header, &header->output)) {
        return RW_MODEL_BAD_HEADER;
    }
    if (!rw_has_parts(header, header->needs, header->n_needs, sizeof(uint32_t)) ||
        !rw_has_parts(header, header->steps, header->n_steps, sizeof(struct rw_model_call))) {
        return RW_MODEL_BAD_OFFSET;
    }
    return RW_MODEL_OK;
}

static const void *rw_part(const struct rw_model_header *header, uint32_t offset)
{
    return (const uint8_t *)header + offset;
}

bool rw_model_has(uint32_t id)
{
    return rw_model_kernel_of(id) != NULL || rw_model_form_of(id) != NULL;
}

/* 0: none is lacking. */
static uint32_t rw_first_lacking(const struct rw_model_header *header)
{
    const uint32_t *ids = rw_part(header, header->needs);
    const struct rw_model_call *calls = rw_part(header, header->steps);
    for (uint32_t i = 0; i < header->n_needs; ++i) {
        if (!rw_model_has(ids[i])) {
            return ids[i] == 0 ? UINT32_MAX : ids[i];
        }
    }
    for (uint32_t i = 0; i < header->n_steps; ++i) {
        if (rw_model_kernel_of(calls[i].kernel) == NULL) {
            return calls[i].kernel == 0 ? UINT32_MAX : calls[i].kernel;
        }
    }
    return 0;
}

static size_t rw_rounded_up(size_t bytes)
{
    return (bytes + sizeof(void *) - 1u) / sizeof(void *) * sizeof(void *);
}

/* Of a model that lacks nothing; 0: so much is no memory of a node. */
static size_t rw_memory_of(const struct rw_model_header *header)
{
    const struct rw_model_call *calls = rw_part(header, header->steps);
    size_t bytes = sizeof(struct rw_model) + header->n_steps * sizeof(struct rw_model_step);
    for (uint32_t i = 0; i < header->n_steps; ++i) {
        if (calls[i].bands > header->bytes || bytes > RW_MODEL_LARGEST) {
            return 0;
        }
        bytes += rw_rounded_up(rw_model_kernel_of(calls[i].kernel)->layout.size);
        bytes += calls[i].bands * sizeof(struct rw_band);
    }
    return bytes <= RW_MODEL_LARGEST ? bytes : 0;
}

enum rw_model_status rw_model_rebuild(struct rw_model_opening *opening, uint32_t offset,
                                      const struct rw_model_layout *layout, size_t first, void **out)
{
    const uint32_t size = layout->pointers * 4u + layout->numbers;
    if (offset % 4u != 0 || offset > opening->bytes || size > opening->bytes - offset) {
        return RW_MODEL_BAD_OFFSET;
    }
    const uint8_t *record = opening->blob + offset;
    uint8_t *at = opening->memory;
    for (size_t i = first; i < layout->pointers; ++i) {
        uint32_t to;
        memcpy(&to, record + 4u * i, sizeof to);
        if (to > opening->bytes) {
            return RW_MODEL_BAD_OFFSET;
        }
        const uint8_t *pointer = opening->blob + to;
        memcpy(at + i * sizeof pointer, &pointer, sizeof pointer);
    }
    memcpy(at + layout->pointers * sizeof(void *), record + 4u * layout->pointers, layout->numbers);
    opening->memory = at + rw_rounded_up(layout->size);
    *out = at;
    return RW_MODEL_OK;
}

bool rw_model_holds(const struct rw_model_opening *opening, const void *table, uint64_t bytes, uint32_t element)
{
    const size_t offset = (size_t)((const uint8_t *)table - opening->blob);
    return offset % element == 0 && bytes <= opening->bytes - offset;
}

static bool rw_within(uint32_t place, uint64_t bytes, uint32_t size)
{
    return place <= size && bytes <= size - place;
}

bool rw_model_moves(const struct rw_model_opening *opening, const struct rw_model_step *step, size_t from,
                    uint64_t from_bytes, size_t to, uint64_t to_bytes)
{
    const uint32_t source = step->call->arguments[from], target = step->call->arguments[to];
    if (!rw_within(target, to_bytes, opening->arena_bytes)) {
        return false;
    }
    if (source & RW_MODEL_CONSTANT) {
        return rw_within(source & ~RW_MODEL_CONSTANT, from_bytes, opening->bytes);
    }
    return rw_within(source, from_bytes, opening->arena_bytes) &&
           (source + from_bytes <= target || target + to_bytes <= source);
}

static enum rw_model_status rw_open_step(struct rw_model_opening *opening, const struct rw_model_call *call,
                                         struct rw_model_step *step)
{
    const struct rw_model_kernel *kernel = rw_model_kernel_of(call->kernel);
    void *record = NULL;
    if (kernel->layout.size != 0) {
        const enum rw_model_status status =
            rw_model_rebuild(opening, call->arguments[0], &kernel->layout, 0, &record);
        if (status != RW_MODEL_OK) {
            return status;
        }
    }
    step->kernel = kernel;
    step->record = record;
    step->call = call;
    return kernel->check(opening, step);
}

size_t rw_model_memory_bytes(const void *blob, size_t bytes)
{
    return rw_check_header(blob, bytes) == RW_MODEL_OK && rw_first_lacking(blob) == 0 ? rw_memory_of(blob) : 0;
}

uint32_t rw_model_lacking(const void *blob, size_t bytes)
{
    return rw_check_header(blob, bytes) == RW_MODEL_OK ? rw_first_lacking(blob) : 0;
}

enum rw_model_status rw_model_open(const void *blob, size_t bytes, void *memory, size_t memory_bytes,
                                   struct rw_model **out)
{
    enum rw_model_status status = rw_check_header(blob, bytes);
    if (status != RW_MODEL_OK) {
        return status;
    }
    const struct rw_model_header *header = blob;
    if (rw_first_lacking(header) != 0) {
        return RW_MODEL_LACKS;
    }
    const size_t wanted = rw_memory_of(header);
    if (wanted == 0) {
        return RW_MODEL_BAD_NUMBER;
    }
    if (!rw_is_aligned(memory) || memory_bytes < wanted) {
        return RW_MODEL_BAD_MEMORY;
    }
    struct rw_model *model = memory;
    struct rw_model_opening opening = {blob, header->bytes, header->arena_bytes,
                                       (uint8_t *)(model->steps + header->n_steps)};
    const struct rw_model_call *calls = rw_part(header, header->steps);
    model->header = header;
    for (uint32_t i = 0; i < header->n_steps && status == RW_MODEL_OK; ++i) {
        status = rw_open_step(&opening, calls + i, model->steps + i);
    }
    if (status == RW_MODEL_OK) {
        *out = model;
    }
    return status;
}

size_t rw_model_arena_bytes(const struct rw_model *model)
{
    return model->header->arena_bytes;
}

int8_t *rw_model_input(const struct rw_model *model, void *arena)
{
    return (int8_t *)arena + model->header->input.place;
}

void rw_model_run(const struct rw_model *model, void *arena)
{
    const struct rw_model_step *end = model->steps + model->header->n_steps;
    for (const struct rw_model_step *step = model->steps; step < end; ++step) {
        step->kernel->run(model, step, arena);
    }
}

const int8_t *rw_model_output(const struct rw_model *model, const void *arena)
{
    return (const int8_t *)arena + model->header->output.place;
}

bool rw_model_gives(const struct rw_model *model, void *arena, const void *input, size_t input_bytes,
                    const void *output, size_t output_bytes)
{
    const struct rw_model_header *header = model->header;
    if (input_bytes != header->input.bytes || output_bytes != header->output.bytes) {
        return false;
    }
    memcpy(rw_model_input(model, arena), input, input_bytes);
    rw_model_run(model, arena);
    return memcmp(rw_model_output(model, arena), output, output_bytes) == 0;
}

const struct rw_model_end *rw_model_input_end(const struct rw_model *model)
{
    return &model->header->input;
}

const struct rw_model_end *rw_model_output_end(const struct rw_model *model)
{
    return &model->header->output;
}

size_t rw_model_needs(const struct rw_model *model, const uint32_t **ids)
{
    *ids = rw_part(model->header, model->header->needs);
    return model->header->n_needs;
}
