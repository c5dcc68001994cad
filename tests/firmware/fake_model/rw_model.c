/* A stand-in for the loader of packed models: "FAKE", the number of inputs, and what is added to each to give its output. */
#include "rw_model.h"

#include <string.h>

struct rw_model {
    struct rw_model_end end;
    int8_t added;
};

static const uint8_t *fake(const void *blob, size_t bytes)
{
    return bytes >= 6 && memcmp(blob, "FAKE", 4) == 0 ? blob : NULL;
}

size_t rw_model_memory_bytes(const void *blob, size_t bytes)
{
    return fake(blob, bytes) != NULL ? sizeof(struct rw_model) : 0;
}

enum rw_model_status rw_model_open(const void *blob, size_t bytes, void *memory, size_t memory_bytes,
                                   struct rw_model **out)
{
    const uint8_t *at = fake(blob, bytes);

    if (at == NULL) {
        return RW_MODEL_BAD_MAGIC;
    }
    if (memory_bytes < sizeof **out) {
        return RW_MODEL_BAD_MEMORY;
    }
    *out = memory;
    **out = (struct rw_model){{0, at[4], RW_MODEL_INT8, 0.1f, 0}, (int8_t)at[5]};
    return RW_MODEL_OK;
}

size_t rw_model_arena_bytes(const struct rw_model *model)
{
    return model->end.bytes;
}

int8_t *rw_model_input(const struct rw_model *model, void *arena)
{
    (void)model;
    return arena;
}

const int8_t *rw_model_output(const struct rw_model *model, const void *arena)
{
    (void)model;
    return arena;
}

void rw_model_run(const struct rw_model *model, void *arena)
{
    int8_t *x = arena;

    for (size_t i = 0; i < model->end.bytes; i++) {
        x[i] = (int8_t)(x[i] < 100 ? x[i] + model->added : x[i]);
    }
}

const struct rw_model_end *rw_model_input_end(const struct rw_model *model)
{
    return &model->end;
}

const struct rw_model_end *rw_model_output_end(const struct rw_model *model)
{
    return &model->end;
}
