/* A stand-in for flash, held to the rules of NOR flash: see the header. */
#include "rw_nor.h"

#include <string.h>

/* Counts an operation and says whether the supply fails in it. */
static bool rw_fails(struct rw_nor *nor)
{
    nor->operations++;
    return nor->operations == nor->cut_at;
}

static enum rw_board_status rw_cut(struct rw_nor *nor)
{
    nor->dead = true;
    if (nor->cut != NULL) {
        nor->cut(nor->context);
    }
    return RW_BOARD_FAILED;
}

static void rw_tell(struct rw_nor *nor, uint32_t at, size_t n)
{
    if (nor->changed != NULL && n != 0) {
        nor->changed(nor->context, at, n);
    }
}

static bool rw_erased_or_same(const uint8_t *memory, const uint8_t *from, size_t n)
{
    bool erased = true;

    for (size_t i = 0; i < n; i++) {
        erased = erased && memory[i] == 0xFFu;
    }
    return erased || memcmp(memory, from, n) == 0;
}

enum rw_board_status rw_nor_erase(struct rw_nor *nor, uint32_t sector)
{
    const uint32_t size = nor->flash.sector_bytes;

    if (nor->dead) {
        return RW_BOARD_FAILED;
    }
    if (sector >= nor->flash.bytes / size) {
        return RW_BOARD_REFUSED;
    }
    const bool fails = rw_fails(nor);
    const uint32_t n = fails ? size / 2u : size;
    memset(nor->memory + sector * size, 0xFF, n);
    rw_tell(nor, sector * size, n);
    return fails ? rw_cut(nor) : RW_BOARD_OK;
}

enum rw_board_status rw_nor_program(struct rw_nor *nor, uint32_t at, const uint8_t *from, size_t n)
{
    const uint32_t unit = nor->flash.unit_bytes;

    if (nor->dead) {
        return RW_BOARD_FAILED;
    }
    if (at % unit != 0 || n % unit != 0 || at > nor->flash.bytes || n > nor->flash.bytes - at) {
        return RW_BOARD_REFUSED;
    }
    for (size_t i = 0; i < n; i += unit) {
        if (!rw_erased_or_same(nor->memory + at + i, from + i, unit)) {
            return RW_BOARD_FAILED;
        }
    }
    const bool fails = rw_fails(nor);
    const size_t written = fails ? n / unit / 2u * unit + unit / 2u : n;
    memcpy(nor->memory + at, from, written);
    rw_tell(nor, at, written);
    return fails ? rw_cut(nor) : RW_BOARD_OK;
}
