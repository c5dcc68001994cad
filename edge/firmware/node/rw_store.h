/* One record in flash that is replaced as a whole: after a loss of power at any moment there is the old one or the new one.
 *
 * Two places of some sectors each take turns. A record is led by 16 bytes: magic, sequence, length and a CRC-32 over both and
 * the bytes; they are written last, so that a record that was cut short is none.
 */
#ifndef RW_STORE_H
#define RW_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rw_board.h"

#define RW_STORE_HEAD_BYTES 16u

enum rw_store_status {
    RW_STORE_OK = 0,
    RW_STORE_TOO_LONG = -1, /* or not a multiple of the flash's unit */
    RW_STORE_FLASH = -2,    /* the flash does not take it; the old record holds */
    RW_STORE_PLACE = -3,    /* the sectors do not lie in the flash, or its unit does not divide the head */
};

struct rw_store {
    const struct rw_board *board;
    uint32_t sector, sectors; /* first sector of the first place; sectors of each */
    uint32_t sequence;        /* of the newest record; 0: there is none */
    uint32_t place;           /* where it lies */
};

/* Finds the newest record in two places of `sectors` sectors each. */
enum rw_store_status rw_store_open(struct rw_store *store, const struct rw_board *board, uint32_t sector,
                                   uint32_t sectors);

/* The record where it lies in flash, or NULL where there is none. */
const void *rw_store_record(const struct rw_store *store, size_t *bytes);

enum rw_store_status rw_store_write(struct rw_store *store, const void *record, size_t bytes);

#endif
