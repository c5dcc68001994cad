/* What the files of rw_model share: how a packed model is laid out, and what a kernel's entry is. Not for callers.
 *
 * Header, needs, steps and records are words and structs of little-endian numbers that the processor reads as they are.
 * A record is a kernel's struct as 32-bit processors lay it out: first its pointers, as offsets into the model, then
 * its numbers. So every kernel's struct begins with its pointers. */
#ifndef RW_MODEL_PARTS_H
#define RW_MODEL_PARTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rw_model.h"
#include "rw_product.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "packed models are read in place by little-endian processors only"
#endif

/* Numbers of kernels; those of forms lie above. They are never given to another. */
enum rw_model_kernel_id {
    RW_MODEL_ID_ADD = 1,
    RW_MODEL_ID_AVERAGE_POOL = 2,
    RW_MODEL_ID_CONCATENATE = 3,
    RW_MODEL_ID_CONVOLVE = 4,
    RW_MODEL_ID_CONVOLVE_PLAIN = 5,
    RW_MODEL_ID_DEPTHWISE = 6,
    RW_MODEL_ID_DEQUANTISE = 7,
    RW_MODEL_ID_LOOKUP = 8,
    RW_MODEL_ID_MAX_POOL = 9,
    RW_MODEL_ID_MEAN = 10,
    RW_MODEL_ID_MULTIPLY = 11,
    RW_MODEL_ID_QUANTISE = 12,
    RW_MODEL_ID_SOFTMAX = 13,
    RW_MODEL_ID_EXACT = 128, /* rw_exact, in the place of a form */
};

#define RW_MODEL_FORM_ID(rows, sparse, pooled, one_segment, per_row, clamped)                                          \
    (256u | (rows) | (sparse) << 3 | (pooled) << 4 | (one_segment) << 5 | (per_row) << 6 | (clamped) << 7)

struct rw_model_header {
    uint32_t magic;
    uint32_t version;
    uint32_t bytes;
    uint32_t arena_bytes;
    uint32_t n_needs;
    uint32_t needs;   /* offset of that many numbers */
    uint32_t n_steps;
    uint32_t steps;   /* offset of that many struct rw_model_call */
    struct rw_model_end input;
    struct rw_model_end output;
};

#define RW_MODEL_ARGUMENTS 5u
/* In an argument that is a tensor: it is a constant, and lies in the model instead of the arena. */
#define RW_MODEL_CONSTANT 0x80000000u

/* A kernel's call: what its parameters are, in their order; offsets, or counts. */
struct rw_model_call {
    uint32_t kernel;
    uint32_t bands;   /* of a convolution, else 0 */
    uint32_t arguments[RW_MODEL_ARGUMENTS];
};

struct rw_model_step {
    const struct rw_model_kernel *kernel;
    const void *record;                   /* the kernel's struct, or its table */
    const struct rw_model_call *call;
};

struct rw_model {
    const struct rw_model_header *header; /* where the model begins */
    struct rw_model_step steps[];
};

/* A model while it is opened. */
struct rw_model_opening {
    const uint8_t *blob;
    uint32_t bytes;
    uint32_t arena_bytes;
    uint8_t *memory;      /* where the next record goes; there is room for all */
};

/* How a struct lies in a record. */
struct rw_model_layout {
    uint16_t size;        /* of the struct here; 0: the kernel takes none */
    uint16_t pointers;
    uint16_t numbers;     /* bytes */
};

#define RW_MODEL_LAYOUT(type, first, last)                                                                             \
    {                                                                                                                  \
        sizeof(type), offsetof(type, first) / sizeof(void *),                                                          \
            (offsetof(type, last) + sizeof(((type *)0)->last) - offsetof(type, first) + 3u) / 4u * 4u                  \
    }

struct rw_model_kernel {
    uint32_t id;
    struct rw_model_layout layout;
    /* Whether the kernel's call and struct are such that it stays within model and arena; completes the step. */
    enum rw_model_status (*check)(struct rw_model_opening *opening, struct rw_model_step *step);
    void (*run)(const struct rw_model *model, const struct rw_model_step *step, int8_t *arena);
};

const struct rw_model_kernel *rw_model_kernel_of(uint32_t id); /* NULL: this firmware has it not */
rw_band_run rw_model_form_of(uint32_t id);                     /* likewise */

/* Rebuilds a struct from its record behind the last one, but for the pointers before the one numbered `first`:
 * RW_MODEL_OK or RW_MODEL_BAD_OFFSET. */
enum rw_model_status rw_model_rebuild(struct rw_model_opening *opening, uint32_t offset,
                                      const struct rw_model_layout *layout, size_t first, void **out);

/* Whether a table at a pointer into the model has so many bytes, aligned to its elements. */
bool rw_model_holds(const struct rw_model_opening *opening, const void *table, uint64_t bytes, uint32_t element);

/* Whether a step may read so many bytes of one argument and write so many of another. */
bool rw_model_moves(const struct rw_model_opening *opening, const struct rw_model_step *step, size_t from,
                    uint64_t from_bytes, size_t to, uint64_t to_bytes);

/* What a kernel reads and writes; an argument that it reads may be a constant. */
static inline const int8_t *rw_model_from(const struct rw_model *model, const struct rw_model_step *step, size_t i,
                                          const int8_t *arena)
{
    const uint32_t at = step->call->arguments[i];
    return at & RW_MODEL_CONSTANT ? (const int8_t *)model->header + (at & ~RW_MODEL_CONSTANT) : arena + at;
}

static inline int8_t *rw_model_to(const struct rw_model_step *step, size_t i, int8_t *arena)
{
    return arena + step->call->arguments[i];
}

/* Whether rw_requantise takes a multiplier and a shift. */
static inline bool rw_model_scales(int32_t multiplier, int32_t shift)
{
    return multiplier >= 0 && shift >= -31 && shift <= 30;
}

static inline bool rw_model_is_int8(int32_t x)
{
    return x >= INT8_MIN && x <= INT8_MAX;
}

#endif
