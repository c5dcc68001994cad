/* A packed model in a slot, as the network that judges: see the header. */
#include "rw_slot_model.h"

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

/* Where it is refused, the network has no inputs, and nobody runs it. */
static bool open_packed(struct rw_slot_model *slot_model, const uint8_t *packed, size_t bytes)
{
    const size_t own = (rw_model_memory_bytes(packed, bytes) + 7u) / 8u * 8u;

    slot_model->network = (struct rw_network){.context = NULL};
    if (own == 0 || own > slot_model->memory_bytes ||
        rw_model_open(packed, bytes, slot_model->memory, own, &slot_model->model) != RW_MODEL_OK ||
        rw_model_arena_bytes(slot_model->model) > slot_model->memory_bytes - own ||
        rw_model_input_end(slot_model->model)->type != RW_MODEL_INT8 ||
        rw_model_output_end(slot_model->model)->type != RW_MODEL_INT8) {
        return false;
    }
    slot_model->arena = slot_model->memory + own;
    give_form(slot_model);
    return true;
}

bool rw_slot_model_open(struct rw_slot_model *slot_model, const struct rw_image *image)
{
    const bool opened = open_packed(slot_model, image->model, image->manifest.model_bytes);

    slot_model->running = opened ? image->model : NULL;
    slot_model->running_bytes = image->manifest.model_bytes;
    return opened;
}

bool rw_slot_model_gives_golden(void *context, const struct rw_image *image)
{
    struct rw_slot_model *slot_model = context;
    const struct rw_manifest *manifest = &image->manifest;
    const bool right = open_packed(slot_model, image->model, manifest->model_bytes) &&
                       rw_model_gives(slot_model->model, slot_model->arena, manifest->golden_input,
                                      manifest->golden_input_bytes, manifest->golden_output,
                                      manifest->golden_output_bytes);

    if (slot_model->running != NULL) {
        (void)open_packed(slot_model, slot_model->running, slot_model->running_bytes);
    }
    return right;
}

bool rw_slot_model_has_operator(void *context, uint32_t id)
{
    (void)context;
    return rw_model_has(id);
}
