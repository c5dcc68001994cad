/* A stand-in for flash: memory that is held to the rules of NOR flash, with a supply that fails at a chosen operation.
 *
 * Erasing sets a sector to 0xFF; a unit is written once after that, unless its bytes are already there. An operation that
 * the supply fails in is left half done: half of a sector is erased, or half of the units are written and half of the
 * bytes of the next one. Operations are counted from 1; the failing one is followed by a call of `cut`, and nothing more
 * is written whether that returns or not.
 */
#ifndef RW_NOR_H
#define RW_NOR_H

#include "rw_board.h"

struct rw_nor {
    uint8_t *memory;
    struct rw_board_flash flash; /* base is the memory */
    uint32_t operations;   /* so far */
    uint32_t cut_at;       /* the operation that the supply fails in; 0 for none */
    bool dead;
    void *context;
    /* The bytes from `at` on have changed; NULL where nobody keeps them. */
    void (*changed)(void *context, uint32_t at, size_t n);
    /* The supply has failed; NULL where `dead` is enough. */
    void (*cut)(void *context);
};

enum rw_board_status rw_nor_erase(struct rw_nor *nor, uint32_t sector);
enum rw_board_status rw_nor_program(struct rw_nor *nor, uint32_t at, const uint8_t *from, size_t n);

#endif
