/* A store in memory that stands in for flash, for ctypes: opens, writes and reads one record, and cuts the supply. */
#include <stdlib.h>
#include <string.h>

#include "rw_nor.h"
#include "rw_store.h"

enum { SECTOR_BYTES = 64, SECTORS = 8, UNIT_BYTES = 8 };

struct flashed {
    struct rw_nor nor;
    struct rw_board board;
    struct rw_store store;
    uint8_t memory[SECTOR_BYTES * SECTORS];
};

static enum rw_board_status erase(void *context, uint32_t sector)
{
    return rw_nor_erase(&((struct flashed *)context)->nor, sector);
}

static enum rw_board_status program(void *context, uint32_t at, const uint8_t *from, size_t n)
{
    return rw_nor_program(&((struct flashed *)context)->nor, at, from, n);
}

struct flashed *make(const uint8_t *content)
{
    struct flashed *f = calloc(1, sizeof *f);
    memcpy(f->memory, content, sizeof f->memory);
    f->nor.memory = f->memory;
    f->nor.flash = (struct rw_board_flash){f->memory, sizeof f->memory, SECTOR_BYTES, UNIT_BYTES};
    f->board.context = f;
    f->board.flash = f->nor.flash;
    f->board.erase = erase;
    f->board.program = program;
    return f;
}

void end(struct flashed *f)
{
    free(f);
}

/* The supply fails in the n-th operation from now on; 0: in none, and it is there again. */
void cut(struct flashed *f, uint32_t n)
{
    f->nor.cut_at = n == 0 ? 0 : f->nor.operations + n;
    f->nor.dead = false;
}

int opened(struct flashed *f, uint32_t sector, uint32_t sectors)
{
    return (int)rw_store_open(&f->store, &f->board, sector, sectors);
}

int written(struct flashed *f, const uint8_t *record, size_t bytes)
{
    return (int)rw_store_write(&f->store, record, bytes);
}

/* The length of the record, -1 where there is none. */
int record(struct flashed *f, uint8_t *to)
{
    size_t bytes;
    const void *at = rw_store_record(&f->store, &bytes);
    if (at == NULL) {
        return -1;
    }
    memcpy(to, at, bytes);
    return (int)bytes;
}

uint8_t *memory(struct flashed *f)
{
    return f->memory;
}
