/* One record in flash that is replaced as a whole: see the header. */
#include "rw_store.h"

#include <string.h>

#include "rw_crc32.h"

#define MAGIC 0x52575331u

struct head {
    uint32_t magic, sequence, bytes, crc;
};

static uint32_t bytes_of_place(const struct rw_store *store)
{
    return store->sectors * store->board->flash.sector_bytes;
}

static uint32_t start_of(const struct rw_store *store, uint32_t place)
{
    return (store->sector + place * store->sectors) * store->board->flash.sector_bytes;
}

static uint32_t crc_of(const struct head *head, const uint8_t *record)
{
    const uint32_t crc = rw_crc32(0, (const uint8_t *)&head->sequence, sizeof head->sequence + sizeof head->bytes);

    return rw_crc32(crc, record, head->bytes);
}

static bool holds(const struct rw_store *store, uint32_t place, uint32_t *sequence)
{
    const uint8_t *const at = store->board->flash.base + start_of(store, place);
    struct head head;

    memcpy(&head, at, sizeof head);
    if (head.magic != MAGIC || head.bytes > bytes_of_place(store) - RW_STORE_HEAD_BYTES ||
        head.crc != crc_of(&head, at + RW_STORE_HEAD_BYTES)) {
        return false;
    }
    *sequence = head.sequence;
    return true;
}

enum rw_store_status rw_store_open(struct rw_store *store, const struct rw_board *board, uint32_t sector,
                                   uint32_t sectors)
{
    const struct rw_board_flash *flash = &board->flash;
    uint32_t sequence;

    if (sectors == 0 || RW_STORE_HEAD_BYTES % flash->unit_bytes != 0 ||
        (uint64_t)sector + 2u * (uint64_t)sectors > flash->bytes / flash->sector_bytes) {
        return RW_STORE_PLACE;
    }
    *store = (struct rw_store){board, sector, sectors, 0, 1}; /* so that the first record goes to place 0 */
    for (uint32_t place = 0; place < 2; place++) {
        if (holds(store, place, &sequence) && (store->sequence == 0 || (int32_t)(sequence - store->sequence) > 0)) {
            store->sequence = sequence;
            store->place = place;
        }
    }
    return RW_STORE_OK;
}

const void *rw_store_record(const struct rw_store *store, size_t *bytes)
{
    const uint8_t *const at = store->board->flash.base + start_of(store, store->place);
    struct head head;

    if (store->sequence == 0) {
        return NULL;
    }
    memcpy(&head, at, sizeof head);
    *bytes = head.bytes;
    return at + RW_STORE_HEAD_BYTES;
}

static bool erase(const struct rw_store *store, uint32_t place)
{
    const struct rw_board *board = store->board;

    for (uint32_t i = 0; i < store->sectors; i++) {
        if (board->erase(board->context, store->sector + place * store->sectors + i) != RW_BOARD_OK) {
            return false;
        }
    }
    return true;
}

enum rw_store_status rw_store_write(struct rw_store *store, const void *record, size_t bytes)
{
    const struct rw_board *board = store->board;
    const uint32_t place = store->place ^ 1u, at = start_of(store, place);
    uint32_t next = store->sequence + 1u;

    if (bytes > bytes_of_place(store) - RW_STORE_HEAD_BYTES || bytes % board->flash.unit_bytes != 0) {
        return RW_STORE_TOO_LONG;
    }
    next += next == 0 ? 1u : 0u; /* 0 stands for none */
    struct head head = {MAGIC, next, (uint32_t)bytes, 0};
    head.crc = crc_of(&head, record);
    if (!erase(store, place) ||
        board->program(board->context, at + RW_STORE_HEAD_BYTES, record, bytes) != RW_BOARD_OK ||
        board->program(board->context, at, (const uint8_t *)&head, sizeof head) != RW_BOARD_OK ||
        !holds(store, place, &next)) {
        return RW_STORE_FLASH;
    }
    store->sequence = head.sequence;
    store->place = place;
    return RW_STORE_OK;
}
