/* A record is 64 bytes: magic, sequence, highest version, image bytes (32 bits each, least byte first), id (16 bytes),
 * active, phase, boots, reason (a byte each), zeros, and the CRC-32 of all before it. Record n lies in place n modulo
 * 2, so that the newest one stays untouched while the next is written.
 *
 * A record whose writing was cut is there or not; it must read the same ever after, or until the next record is whole:
 * a flash on which it may not is covered for one such cut, not for two in a row. Every step that cannot be taken back
 * is taken only after the record that allows it, and is taken again after that record.
 */
#include "rw_records.h"

#include <string.h>

#include "rw_crc32.h"

#define RECORD_BYTES 64u
#define MAGIC 0x31535752u /* "RWS1" */
#define CRC_AT (RECORD_BYTES - 4u)
#define ID_AT 16u
#define BYTES_AT (ID_AT + RW_IMAGE_ID_BYTES)

_Static_assert(RECORD_BYTES % RW_FLASH_UNIT_MAX == 0, "a record is a whole number of units of any size");

static void put(uint8_t *to, uint32_t value)
{
    for (size_t i = 0; i < 4; ++i, value >>= 8) {
        to[i] = (uint8_t)value;
    }
}

static uint32_t get(const uint8_t *from)
{
    return (uint32_t)from[0] | (uint32_t)from[1] << 8 | (uint32_t)from[2] << 16 | (uint32_t)from[3] << 24;
}

static void encode(uint8_t record[RECORD_BYTES], const struct rw_slots_state *state)
{
    memset(record, 0, RECORD_BYTES);
    put(record, MAGIC);
    put(record + 4, state->sequence);
    put(record + 8, state->highest_version);
    put(record + 12, state->image_bytes);
    memcpy(record + ID_AT, state->id, RW_IMAGE_ID_BYTES);
    record[BYTES_AT] = state->active;
    record[BYTES_AT + 1] = state->phase;
    record[BYTES_AT + 2] = state->boots;
    record[BYTES_AT + 3] = state->reason;
    put(record + CRC_AT, rw_crc32(0, record, CRC_AT));
}

static bool decode(struct rw_slots_state *state, const uint8_t record[RECORD_BYTES])
{
    if (get(record) != MAGIC || get(record + CRC_AT) != rw_crc32(0, record, CRC_AT)) {
        return false;
    }
    state->sequence = get(record + 4);
    state->highest_version = get(record + 8);
    state->image_bytes = get(record + 12);
    memcpy(state->id, record + ID_AT, RW_IMAGE_ID_BYTES);
    state->active = record[BYTES_AT];
    state->phase = record[BYTES_AT + 1];
    state->boots = record[BYTES_AT + 2];
    state->reason = record[BYTES_AT + 3];
    return state->phase <= RW_PHASE_CONFIRMED && (state->active < RW_SLOTS || state->active == RW_NO_SLOT);
}

void rw_records_load(struct rw_slots_state *state, const struct rw_flash *flash)
{
    *state = (struct rw_slots_state){.active = RW_NO_SLOT};
    for (uint32_t place = 0; place < RW_RECORDS; ++place) {
        uint8_t record[RECORD_BYTES];
        struct rw_slots_state found;
        if (flash->read(flash->context, flash->records[place].offset, record, sizeof record) &&
            decode(&found, record) && found.sequence % RW_RECORDS == place &&
            found.sequence > state->sequence) {
            *state = found;
        }
    }
}

bool rw_records_keep(struct rw_slots_state *state, const struct rw_flash *flash)
{
    uint8_t record[RECORD_BYTES], written[RECORD_BYTES];
    struct rw_slots_state next = *state;
    next.sequence += 1u;
    const uint32_t offset = flash->records[next.sequence % RW_RECORDS].offset;
    encode(record, &next);
    if (!flash->erase(flash->context, offset) || !flash->write(flash->context, offset, record, sizeof record) ||
        !flash->read(flash->context, offset, written, sizeof written) || memcmp(record, written, sizeof record) != 0) {
        return false; /* the next try takes the same place: the other one holds what still counts */
    }
    *state = next;
    return true;
}
