/* A board's flash for slots: see the header. */
#include "rw_slot_flash.h"

#include <string.h>

static bool erase(void *context, uint32_t offset)
{
    const struct rw_board *board = context;

    return board->erase(board->context, offset / board->flash.sector_bytes) == RW_BOARD_OK;
}

static bool write(void *context, uint32_t offset, const uint8_t *bytes, size_t n)
{
    const struct rw_board *board = context;

    return board->program(board->context, offset, bytes, n) == RW_BOARD_OK;
}

static bool read(void *context, uint32_t offset, uint8_t *bytes, size_t n)
{
    const struct rw_board *board = context;

    memcpy(bytes, board->flash.base + offset, n);
    return true;
}

bool rw_slot_flash_init(struct rw_flash *flash, const struct rw_board *board, uint32_t sector)
{
    const struct rw_board_flash *own = &board->flash;
    const uint32_t sectors = own->bytes / own->sector_bytes, first = sector + RW_RECORDS;
    const uint32_t each = sectors > first ? (sectors - first) / RW_SLOTS : 0;

    /* The board's constant struct is not written to through the context. */
    memset(flash, 0, sizeof *flash);
    memcpy(&flash->context, &board, sizeof board);
    flash->mapped = own->base;
    flash->erase = erase;
    flash->write = write;
    flash->read = read;
    for (uint32_t i = 0; i < RW_RECORDS; i++) {
        flash->records[i] = (struct rw_flash_area){(sector + i) * own->sector_bytes, own->sector_bytes, own->sector_bytes};
    }
    for (uint32_t i = 0; i < RW_SLOTS; i++) {
        flash->slots[i] = (struct rw_flash_area){(first + i * each) * own->sector_bytes, each * own->sector_bytes,
                                                 own->sector_bytes};
    }
    flash->unit_bytes = (uint8_t)own->unit_bytes;
    flash->erased_byte = 0xFFu;
    flash->rewritable = false;
    return each != 0 && rw_flash_is_sound(flash);
}
