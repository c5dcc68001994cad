/* The part of a board's flash that slots and their records take, as rw_slots wants it: behind the node's own records. */
#ifndef RW_SLOT_FLASH_H
#define RW_SLOT_FLASH_H

#include "rw_board.h"
#include "rw_flash.h"

/* Two sectors of records from `sector` on, and two slots that share what is left. False where there is no room. */
bool rw_slot_flash_init(struct rw_flash *flash, const struct rw_board *board, uint32_t sector);

#endif
