#include "flash_simulator.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_OFFSET 256u

static void broken(const char *what, uint32_t offset)
{
    fprintf(stderr, "the flash was misused: %s at %u\n", what, offset);
    exit(7);
}

/* xorshift64* */
static uint32_t any(struct flash_simulator *s)
{
    s->random ^= s->random >> 12;
    s->random ^= s->random << 25;
    s->random ^= s->random >> 27;
    return (uint32_t)((s->random * UINT64_C(2685821657736338717)) >> 32);
}

static const struct rw_flash_area *area_at(const struct flash_simulator *s, uint32_t offset)
{
    const struct rw_flash *f = &s->flash;
    for (uint32_t i = 0; i < RW_SLOTS + RW_RECORDS; ++i) {
        const struct rw_flash_area *a = i < RW_SLOTS ? &f->slots[i] : &f->records[i - RW_SLOTS];
        if (offset >= a->offset && offset < a->offset + a->bytes) {
            return a;
        }
    }
    return NULL;
}

static void scramble_sector(struct flash_simulator *s, uint32_t offset, uint32_t n)
{
    const uint32_t kind = any(s) % 4u;
    const uint32_t blank = any(s) % n;
    for (uint32_t i = 0; i < n; ++i) {
        s->bytes[offset + i] = kind == 0                ? s->flash.erased_byte
                               : kind == 1              ? (uint8_t)~s->flash.erased_byte
                               : kind == 2 && i < blank ? s->flash.erased_byte
                               : kind == 2              ? s->was[offset + i]
                                                        : (uint8_t)any(s);
    }
}

/* Some of the bits that were to change have. */
static void scramble_unit(struct flash_simulator *s, uint32_t offset)
{
    const uint32_t kind = any(s) % 4u;
    for (uint32_t i = 0; i < s->flash.unit_bytes; ++i) {
        const uint8_t mask = kind == 0 ? 0u : kind == 1 ? 0xFFu : (uint8_t)any(s);
        const uint8_t old = s->was[offset + i];
        s->bytes[offset + i] = (uint8_t)(old ^ ((old ^ s->cut_target[i]) & mask));
    }
}

static void scramble(struct flash_simulator *s)
{
    if (s->cut_erased) {
        scramble_sector(s, s->cut_offset, s->cut_bytes);
    } else {
        scramble_unit(s, s->cut_offset);
    }
}

static void cut(struct flash_simulator *s, uint32_t offset, uint32_t n, const uint8_t *target)
{
    memcpy(s->was, s->bytes, s->size);
    s->cut_offset = offset;
    s->cut_bytes = n;
    s->cut_erased = target == NULL;
    if (target != NULL) {
        memcpy(s->cut_target, target, n);
    }
    scramble(s);
    s->stop();
}

/* Once it is erased or written anew, what was cut there is past. */
static void make_good(struct flash_simulator *s, uint32_t offset, uint32_t n)
{
    if (s->cut_bytes > 0 && s->cut_offset >= offset && s->cut_offset + s->cut_bytes <= offset + n) {
        s->cut_bytes = 0;
    }
}

static bool erase(void *context, uint32_t offset)
{
    struct flash_simulator *s = context;
    const struct rw_flash_area *a = area_at(s, offset);
    if (a == NULL || (offset - a->offset) % a->sector_bytes != 0) {
        broken("erasure of no sector", offset);
        return false;
    }
    const uint64_t step = s->steps++;
    bool *half = &s->half_erased[offset / s->smallest_sector];
    if (step == s->fails_at) {
        return false;
    }
    memset(s->written + offset / s->flash.unit_bytes, 0, a->sector_bytes / s->flash.unit_bytes * sizeof(bool));
    if (step == s->cut_at) {
        *half = true;
        cut(s, offset, a->sector_bytes, NULL);
    }
    *half = false;
    memset(s->bytes + offset, s->flash.erased_byte, a->sector_bytes);
    make_good(s, offset, a->sector_bytes);
    return true;
}

static void check_unit(struct flash_simulator *s, uint32_t offset, const uint8_t *bytes)
{
    const struct rw_flash_area *a = area_at(s, offset);
    if (a == NULL || offset % s->flash.unit_bytes != 0) {
        broken("a write outside the areas or their units", offset);
        return;
    }
    const uint32_t sector = a->offset + (offset - a->offset) / a->sector_bytes * a->sector_bytes;
    if (s->half_erased[sector / s->smallest_sector]) {
        broken("a write into a sector whose erasure was cut", offset);
    }
    const bool again = s->written[offset / s->flash.unit_bytes];
    if (again && !s->flash.rewritable) {
        broken("a second write to a unit", offset);
    }
    for (uint32_t i = 0; i < s->flash.unit_bytes && again; ++i) {
        if (((s->bytes[offset + i] ^ s->flash.erased_byte) & ~(bytes[i] ^ s->flash.erased_byte)) != 0) {
            broken("a second write of other bytes", offset);
        }
    }
}

static bool write(void *context, uint32_t offset, const uint8_t *bytes, size_t n)
{
    struct flash_simulator *s = context;
    const uint32_t unit = s->flash.unit_bytes;
    if (n % unit != 0) {
        broken("a write of a part of a unit", offset);
    }
    for (size_t i = 0; i < n; i += unit, offset += unit) {
        const uint64_t step = s->steps++;
        if (step == s->fails_at) {
            return false;
        }
        check_unit(s, offset, bytes + i);
        s->written[offset / unit] = true;
        if (step == s->cut_at) {
            cut(s, offset, unit, bytes + i);
        }
        memcpy(s->bytes + offset, bytes + i, unit);
        make_good(s, offset, unit);
    }
    return true;
}

static bool read(void *context, uint32_t offset, uint8_t *bytes, size_t n)
{
    struct flash_simulator *s = context;
    const struct rw_flash_area *a = area_at(s, offset);
    if (a == NULL || n > a->offset + a->bytes - offset) {
        broken("a read outside the areas", offset);
        return false;
    }
    memcpy(bytes, s->bytes + offset, n);
    return true;
}

void flash_simulator_make(struct flash_simulator *s, uint32_t unit, uint32_t sector, uint32_t slot_bytes,
                          bool rewritable, uint8_t erased_byte)
{
    memset(s, 0, sizeof *s);
    uint32_t offset = sector > FIRST_OFFSET ? sector : FIRST_OFFSET;
    s->flash = (struct rw_flash){.context = s, .erase = erase, .write = write, .read = read};
    for (uint32_t i = 0; i < RW_SLOTS + RW_RECORDS; ++i) {
        struct rw_flash_area *a = i < RW_SLOTS ? &s->flash.slots[i] : &s->flash.records[i - RW_SLOTS];
        *a = (struct rw_flash_area){offset, i < RW_SLOTS ? slot_bytes : sector, sector};
        offset += a->bytes;
    }
    s->flash.unit_bytes = (uint8_t)unit;
    s->flash.erased_byte = erased_byte;
    s->flash.rewritable = rewritable;
    s->size = offset;
    s->smallest_sector = sector;
    s->bytes = malloc(s->size); /* of exactly its size: a sanitiser sees what is read behind it */
    s->was = malloc(s->size);
    s->written = calloc(s->size / unit + 1u, sizeof(bool));
    s->half_erased = calloc(s->size / sector + 1u, sizeof(bool));
    s->flash.mapped = s->bytes;
    s->random = UINT64_C(88172645463325252);
    flash_simulator_clear(s);
}

void flash_simulator_free(struct flash_simulator *s)
{
    free(s->bytes);
    free(s->was);
    free(s->written);
    free(s->half_erased);
}

void flash_simulator_clear(struct flash_simulator *s)
{
    memset(s->bytes, s->flash.erased_byte, s->size);
    memset(s->written, 0, (s->size / s->flash.unit_bytes + 1u) * sizeof(bool));
    memset(s->half_erased, 0, (s->size / s->smallest_sector + 1u) * sizeof(bool));
    s->steps = 0;
    s->cut_at = s->fails_at = SIMULATOR_NO_CUT;
    s->cut_bytes = 0;
}

void flash_simulator_start(struct flash_simulator *s)
{
    if (s->cut_bytes > 0 && s->unstable) {
        scramble(s);
    }
}
