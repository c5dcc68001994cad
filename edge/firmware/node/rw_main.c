/* The firmware of a node: puts board, link and node together and lets them take turns, asleep in between.
 *
 * What a product decides comes from the compiler's command line: RW_NODE_RATE_HZ, RW_NODE_SCALE (unit of a step),
 * RW_NODE_SAMPLES (of a window); and, where the defaults do not do, RW_NODE_UNIT, RW_NODE_PERIOD_MS, RW_NODE_SILENCE_MS,
 * RW_NODE_SHAFT_HZ, RW_NODE_N_SCALE, RW_NODE_N_TAIL, RW_NODE_BEARING (four fault orders) and RW_NODE_FIRMWARE. With
 * RW_NODE_UPDATES it takes models into slots: rw_update_keys.h names the keys that may have signed them, and
 * RW_NODE_MODEL_BYTES the memory that one gets. A model in a slot judges health; what names faults is the factory's.
 */
#include <string.h>

#include "rw_factory.h"
#include "rw_speaker.h"

#ifndef RW_NODE_UNIT
#define RW_NODE_UNIT RW_UNIT_G
#endif
#ifndef RW_NODE_PERIOD_MS
#define RW_NODE_PERIOD_MS 10000u
#endif
#ifndef RW_NODE_SILENCE_MS
#define RW_NODE_SILENCE_MS 5000u
#endif
#ifndef RW_NODE_SHAFT_HZ
#define RW_NODE_SHAFT_HZ 0.0f
#endif
#ifndef RW_NODE_N_SCALE
#define RW_NODE_N_SCALE 64u
#endif
#ifndef RW_NODE_N_TAIL
#define RW_NODE_N_TAIL 64u
#endif
#ifndef RW_NODE_BEARING
#define RW_NODE_BEARING 0.0f, 0.0f, 0.0f, 0.0f
#endif
#ifndef RW_NODE_FIRMWARE
#define RW_NODE_FIRMWARE "0.1.0"
#endif

#ifndef RW_NODE_MODEL_BYTES
#define RW_NODE_MODEL_BYTES 8192u
#endif

#define NODE_BYTES (8192u + RW_FRONTEND_BYTES(RW_NODE_SAMPLES) + 6u * RW_NODE_SAMPLES)
#define LINK_BYTES 6656u
#define QUEUE_BYTES 4096u
#define FACTORY_VERSION 0u

static _Alignas(8) uint8_t node_memory[NODE_BYTES];
static _Alignas(8) uint8_t link_memory[LINK_BYTES];
static struct rw_speaker speaker;

/* The slots of a firmware that has some, and what judges: a slot's model, else the factory's. */
struct rw_models {
    struct rw_slots *slots;
    struct rw_networks networks;
};

#ifdef RW_NODE_UPDATES
#include "rw_slot_flash.h"
#include "rw_slot_model.h"
#include "rw_update_keys.h"

#define TRIAL_BOOTS 4u /* the switch itself, and three starts */
/* Pointers of 8 bytes, on the host, take twice the memory at most. */
#define MODEL_BYTES (RW_NODE_MODEL_BYTES * (sizeof(void *) / 4u))

static struct rw_flash slot_flash;
static struct rw_slots slots;
static struct rw_slot_model slot_model;
static _Alignas(8) uint8_t model_memory[MODEL_BYTES];

static void alive(void *context)
{
    const struct rw_board *board = speaker.board;

    (void)context;
    if (board != NULL) {
        board->kick(board->context);
    }
}

static void open_slots(const struct rw_board *board, struct rw_models *models)
{
    static const uint8_t hash[] = RW_FEATURE_HASH;
    static struct rw_update_config config = {
        .keys = rw_update_keys,
        .n_keys = RW_UPDATE_KEYS,
        .memory_bytes = RW_NODE_MODEL_BYTES,
        .trial_boots = TRIAL_BOOTS,
        .context = &slot_model,
        .has_operator = rw_slot_model_has_operator,
        .gives_golden = rw_slot_model_gives_golden,
        .alive = alive,
    };
    struct rw_image image;

    memcpy(config.contract, hash, sizeof hash);
    rw_slot_model_init(&slot_model, model_memory, sizeof model_memory);
    speaker.board = board;
    if (!rw_slot_flash_init(&slot_flash, board, RW_NODE_SECTORS) ||
        rw_slots_open(&slots, &slot_flash, &config) != RW_UPDATE_OK) {
        return;
    }
    models->slots = &slots;
    if (rw_slots_boot(&slots, &image) == RW_UPDATE_OK && rw_slot_model_open(&slot_model, &image)) {
        models->networks.health = &slot_model.network;
        models->networks.version = image.manifest.version;
    }
}
#else
static void open_slots(const struct rw_board *board, struct rw_models *models)
{
    (void)board;
    (void)models;
}
#endif

static enum rw_link_status open_link(const struct rw_board *board, const struct rw_models *models, uint32_t session)
{
    const struct rw_link_config config = {
        .session = session != 0 ? session : 1u,
        .name = board->name,
        .name_bytes = strlen(board->name),
        .window = 8,
        .queue_bytes = QUEUE_BYTES,
        .resend_ms = 250,
        .longest_ms = 8000,
        .idle_ms = 5000,
    };
    struct rw_link *link = NULL;
    const enum rw_link_status status =
        rw_link_init(link_memory, sizeof link_memory, &config, board->now_ms(board->context), &link);

    rw_speaker_init(&speaker, board, link, models->slots, RW_NODE_FIRMWARE, models->networks.version, session);
    return status;
}

int rw_program(const struct rw_board *board)
{
    static const struct rw_node_config config = {
        .frontend = {.rate_hz = RW_NODE_RATE_HZ,
                     .scale = RW_NODE_SCALE,
                     .n = RW_NODE_SAMPLES,
                     .unit = RW_NODE_UNIT,
                     .bearing = {RW_NODE_BEARING}},
        .watch = {RW_NODE_N_SCALE, RW_NODE_N_TAIL, 1e-3f, {3u, 10u, 0.8f}},
        .period_ms = RW_NODE_PERIOD_MS,
        .silence_ms = RW_NODE_SILENCE_MS,
        .shaft_hz = RW_NODE_SHAFT_HZ,
    };
    struct rw_models models = {NULL, {rw_factory_health(), rw_factory_kinds(), FACTORY_VERSION}};
    struct rw_node *node;

    open_slots(board, &models);
    const enum rw_node_status status =
        rw_node_init(node_memory, sizeof node_memory, &config, &models.networks, board, &speaker.uplink, &node);

    if (status != RW_NODE_OK || open_link(board, &models, rw_node_boots(node)) != RW_LINK_OK) {
        return 1; /* a wrong configuration; it was wrong when it was built */
    }
    speaker.node = node;
    for (;;) {
        rw_speaker_step(&speaker);
        const uint32_t watched_ms = rw_node_step(node);
        const uint32_t spoken_ms = rw_speaker_due_ms(&speaker);
        board->sleep(board->context, spoken_ms < watched_ms ? spoken_ms : watched_ms);
    }
}
