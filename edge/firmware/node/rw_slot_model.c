/* A packed model in a slot, as the network that judges: see the header. */
#include "rw_slot_model.h"

#include <string.h>

void rw_slot_model_init(struct rw_slot_model *slot_model, void *memory, size_t memory_bytes)
{
    *slot_model = (struct rw_slot_model){.memory = memory, .memory_bytes = memory_bytes};
}

static void run(void *context)
{
    const struct rw_slot_model *slot_model = context;

    rw_model_run(slot_model->model, slot_model->arena);
}

static void give_form(struct rw_slot_model *slot_model)
{
    const struct rw_model_end *given = rw_model_input_end(slot_model->model);
    const struct rw_model_end *output = rw_model_output_end(slot_model->model);

    slot_model->network = (struct rw_network){
        .context = slot_model,
        .run = run,
        .input = rw_model_input(slot_model->model, slot_model->arena),
        .output = rw_model_output(slot_model->model, slot_model->arena),
        .input_bytes = given->bytes,
        .output_bytes = output->bytes,
        .input_as = {given->scale, given->zero},
        .output_as = {output->scale, output->zero},
    };
}

bool rw_slot_model_open(struct rw_slot_model *slot_model, const struct rw_image *image)
{
    const size_t bytes = image->manifest.model_bytes;
    const size_t own = (rw_model_memory_bytes(image->model, bytes) + 7u) / 8u * 8u;

    if (own == 0 || own > slot_model->memory_bytes ||
        rw_model_open(image->model, bytes, slot_model->memory, own, &slot_model->model) != RW_MODEL_OK ||
        rw_model_arena_bytes(slot_model->model) > slot_model->memory_bytes - own ||
        rw_model_input_end(slot_model->model)->type != RW_MODEL_INT8 ||
        rw_model_output_end(slot_model->model)->type != RW_MODEL_INT8) {
        return false;
    }
    slot_model->arena = slot_model->memory + own;
    give_form(slot_model);
    return true;
}

bool rw_slot_model_gives_golden(void *context, const struct rw_image *image)
{
    struct rw_slot_model *slot_model = context;
    const struct rw_manifest *manifest = &image->manifest;

    if (!rw_slot_model_open(slot_model, image) || slot_model->network.input_bytes != manifest->golden_input_bytes ||
        slot_model->network.output_bytes != manifest->golden_output_bytes) {
        return false;
    }
    memcpy(slot_model->network.input, manifest->golden_input, manifest->golden_input_bytes);
    rw_model_run(slot_model->model, slot_model->arena);
    return memcmp(slot_model->network.output, manifest->golden_output, manifest->golden_output_bytes) == 0;
}
