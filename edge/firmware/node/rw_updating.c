/* Updates of the node's model over the link: see the header. Bodies were checked to be CBOR; their keys come in ascending
 * order, unknown ones are passed over, and what lacks a key is answered as what was not begun. */
#include "rw_updating.h"

#include <string.h>

#include "rw_cbor.h"
#include "rw_messages.h"

void rw_updating_init(struct rw_updating *updating, struct rw_slots *slots, uint32_t version)
{
    *updating = (struct rw_updating){.slots = slots, .version = version, .told = true};
}

struct fields {
    uint32_t number;
    const uint8_t *bytes;
    size_t n;
    bool has_number, has_bytes;
};

/* A body of a number and of bytes under two keys. */
static struct fields read_fields(const struct rw_link_message *message, uint64_t number_key, uint64_t bytes_key)
{
    struct fields fields = {0};
    struct rw_cbor_reader r;

    rw_cbor_read_begin(&r, message->body, message->n);
    for (size_t pairs = rw_cbor_read_map(&r); pairs != 0 && !r.failed; pairs--) {
        const uint64_t key = rw_cbor_read_uint(&r);
        if (key == number_key) {
            fields.number = rw_cbor_read_uint32(&r);
            fields.has_number = !r.failed;
        } else if (key == bytes_key) {
            fields.bytes = rw_cbor_read_bytes(&r, &fields.n);
            fields.has_bytes = !r.failed;
        } else {
            rw_cbor_skip(&r);
        }
    }
    return fields;
}

static void begin(struct rw_updating *updating, const struct rw_link_message *message)
{
    const struct fields fields = read_fields(message, RW_UPDATE_BEGIN_SIZE, RW_UPDATE_BEGIN_IMAGE);
    uint8_t id[RW_IMAGE_ID_BYTES] = {0};
    uint32_t offset;

    if (!fields.has_number || !fields.has_bytes || fields.n > sizeof id) {
        updating->reason = RW_UPDATE_NOT_BEGUN;
        return;
    }
    memcpy(id, fields.bytes, fields.n);
    updating->reason = rw_slots_begin(updating->slots, id, fields.number, &offset);
}

/* A piece that fits is not answered, but for the last one; nor are the pieces that were under way when one was refused. */
static void chunk(struct rw_updating *updating, const struct rw_link_message *message)
{
    const struct fields fields = read_fields(message, RW_UPDATE_CHUNK_OFFSET, RW_UPDATE_CHUNK_DATA);
    struct rw_slots *slots = updating->slots;
    enum rw_update_status status = RW_UPDATE_NOT_BEGUN;

    if (fields.has_number && fields.has_bytes) {
        status = rw_slots_write(slots, fields.number, fields.bytes, fields.n);
    }
    if (status == RW_UPDATE_NOT_BEGUN && updating->reason != RW_UPDATE_OK) {
        return;
    }
    const bool whole = status == RW_UPDATE_OK && rw_slots_received(slots) == slots->state.image_bytes;
    updating->reason = whole ? rw_slots_finish(slots) : status;
    updating->told = status == RW_UPDATE_OK && !whole;
}

static void confirm(struct rw_updating *updating, const struct rw_link_message *message)
{
    const struct fields fields = read_fields(message, RW_UPDATE_CONFIRM_VERSION, UINT64_MAX);

    updating->reason = fields.has_number && fields.number == updating->slots->trial_version
                           ? rw_slots_confirm(updating->slots)
                           : RW_UPDATE_NOT_BEGUN;
}

bool rw_updating_take(struct rw_updating *updating, const struct rw_link_message *message)
{
    struct rw_image image;
    const bool on_trial = updating->slots != NULL && updating->slots->state.phase == RW_PHASE_TRIAL;

    if (message->kind < RW_KIND_UPDATE_BEGIN || message->kind > RW_KIND_UPDATE_ABORT) {
        return false;
    }
    if (message->kind != RW_KIND_UPDATE_CHUNK || updating->slots == NULL) {
        updating->told = false;
    }
    if (updating->slots == NULL) {
        updating->reason = RW_UPDATE_CONFIGURATION;
        return true;
    }
    if (updating->restart && message->kind != RW_KIND_UPDATE_QUERY) {
        updating->reason = RW_UPDATE_BUSY; /* the model that still judges is read in its slot, which stays as it is */
        return true;
    }
    switch (message->kind) {
    case RW_KIND_UPDATE_BEGIN:
        begin(updating, message);
        break;
    case RW_KIND_UPDATE_CHUNK:
        chunk(updating, message);
        break;
    case RW_KIND_UPDATE_TRY: /* what is refused leaves the node as it is */
        updating->reason = rw_slots_switch(updating->slots, &image);
        updating->restart = updating->reason == RW_UPDATE_OK;
        break;
    case RW_KIND_UPDATE_CONFIRM:
        confirm(updating, message);
        break;
    case RW_KIND_UPDATE_ABORT:
        updating->reason = rw_slots_give_up(updating->slots, RW_UPDATE_ABORTED, &image);
        updating->restart = on_trial;
        break;
    default:
        break;
    }
    return true;
}

void rw_updating_tell(struct rw_updating *updating, struct rw_link *link)
{
    static const struct rw_slots_state nothing = {.active = RW_NO_SLOT};
    const struct rw_slots *slots = updating->slots;
    const struct rw_slots_state *state = slots != NULL ? &slots->state : &nothing;
    struct rw_cbor_writer w;
    uint8_t *body;

    if (updating->told || (body = rw_link_reserve(link)) == NULL) {
        return;
    }
    rw_cbor_write_begin(&w, body, RW_LINK_BODY_BYTES);
    rw_cbor_write_map(&w, 7);
    rw_cbor_write_uint(&w, RW_UPDATE_STATUS_SLOT);
    rw_cbor_write_uint(&w, state->phase);
    rw_cbor_write_uint(&w, RW_UPDATE_STATUS_IMAGE);
    rw_cbor_write_bytes(&w, state->id, state->phase == RW_PHASE_EMPTY ? 0 : sizeof state->id);
    rw_cbor_write_uint(&w, RW_UPDATE_STATUS_OFFSET);
    rw_cbor_write_uint(&w, slots != NULL && slots->begun ? rw_slots_received(slots) : 0);
    rw_cbor_write_uint(&w, RW_UPDATE_STATUS_SIZE);
    rw_cbor_write_uint(&w, state->image_bytes);
    rw_cbor_write_uint(&w, RW_UPDATE_STATUS_REASON);
    rw_cbor_write_uint(&w, updating->reason != RW_UPDATE_OK ? (uint32_t)updating->reason : state->reason);
    rw_cbor_write_uint(&w, RW_UPDATE_STATUS_VERSION);
    rw_cbor_write_uint(&w, updating->version);
    rw_cbor_write_uint(&w, RW_UPDATE_STATUS_CANDIDATE);
    rw_cbor_write_uint(&w, slots != NULL ? slots->trial_version : 0);
    updating->told = !w.failed && rw_link_commit(link, RW_KIND_UPDATE_STATUS, w.used) == RW_LINK_OK;
}
