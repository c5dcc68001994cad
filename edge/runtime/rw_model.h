/* A network that is data, not code: opened where it lies in flash and run by the kernels, bit for bit as if compiled.
 *
 * A packed model is little-endian and position-independent; docs/MODEL_FORMAT.md has every byte. Weights and tables are
 * read in place. What a kernel needs as a struct is rebuilt in memory of the caller, once; input, output and scratch
 * lie in an arena of the caller, as with a compiled model.
 *
 * Opening trusts nothing: whatever the bytes are, a model is refused with a reason, or its runs neither read nor write
 * outside of it and of its arena. That its numbers are those that were packed is not checked here; a signature is. */
#ifndef RW_MODEL_H
#define RW_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RW_MODEL_MAGIC 0x444D5752u /* "RWMD" */
#define RW_MODEL_VERSION 1u
#define RW_MODEL_LARGEST 0x00800000u /* bytes of a model, of its arena and of its memory, each */

/* X(identifier, value, meaning) */
#define RW_MODEL_STATUSES(X)                                                                                           \
    X(OK, 0, "the model is ready")                                                                                     \
    X(BAD_MAGIC, -1, "it does not begin as a packed model does")                                                       \
    X(BAD_VERSION, -2, "it is packed in a form that this firmware does not read")                                      \
    X(BAD_LENGTH, -3, "it is cut off, or not as long as it says")                                                      \
    X(BAD_ALIGNMENT, -4, "it does not begin at a multiple of 8 bytes")                                                 \
    X(BAD_HEADER, -5, "its arena, input or output is not described as it can be")                                      \
    X(BAD_OFFSET, -6, "a part of it is said to lie outside of it, or not where such a part can lie")                   \
    X(BAD_TABLE, -7, "a table is shorter than its kernel reads, or holds what its kernel does not compute")            \
    X(BAD_NUMBER, -8, "an operator has numbers that its kernel does not compute")                                      \
    X(BAD_PLACE, -9, "an operator reads or writes outside the arena, or writes over what it reads")                    \
    X(LACKS, -10, "it needs what this firmware lacks; rw_model_lacking tells which")                                   \
    X(BAD_MEMORY, -11, "the memory is too small, or does not begin at a multiple of 8 bytes")

#define RW_MODEL_ENTRY(identifier, value, meaning) RW_MODEL_##identifier = (value),
enum rw_model_status { RW_MODEL_STATUSES(RW_MODEL_ENTRY) };
#undef RW_MODEL_ENTRY

enum rw_model_type {
    RW_MODEL_INT8 = 0,
    RW_MODEL_FLOAT32 = 1,
};

/* Input or output: number = scale * (integer - zero); of floats, scale is 1 and zero 0. */
struct rw_model_end {
    uint32_t place; /* bytes from the arena's beginning */
    uint32_t bytes;
    uint32_t type;  /* enum rw_model_type */
    float scale;
    int32_t zero;
};

struct rw_model;

/* Bytes of memory that opening wants; 0 for what is no packed model or needs what this firmware lacks. */
size_t rw_model_memory_bytes(const void *blob, size_t bytes);

/* The first kernel or form, by its number, that a model needs and this firmware lacks; 0 where there is none, or where
 * it is no packed model. */
uint32_t rw_model_lacking(const void *blob, size_t bytes);

/* Whether this firmware has a kernel or form. */
bool rw_model_has(uint32_t id);

/* Checks a model of so many bytes, and prepares it in memory aligned to 8 bytes; both must stay as they are. */
enum rw_model_status rw_model_open(const void *blob, size_t bytes, void *memory, size_t memory_bytes,
                                   struct rw_model **out);

/* The arena is aligned to 8 bytes; a run overwrites the input. */
size_t rw_model_arena_bytes(const struct rw_model *model);
int8_t *rw_model_input(const struct rw_model *model, void *arena);
void rw_model_run(const struct rw_model *model, void *arena);
const int8_t *rw_model_output(const struct rw_model *model, const void *arena);

/* Whether a run turns an input into just that output; false also where either is of another size. */
bool rw_model_gives(const struct rw_model *model, void *arena, const void *input, size_t input_bytes,
                    const void *output, size_t output_bytes);

const struct rw_model_end *rw_model_input_end(const struct rw_model *model);
const struct rw_model_end *rw_model_output_end(const struct rw_model *model);

/* Numbers of the kernels and forms that it needs, ascending. */
size_t rw_model_needs(const struct rw_model *model, const uint32_t **ids);

#endif
