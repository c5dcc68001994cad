/* Flash of an emulated board, kept in a file of the host: see the header. */
#include "rw_kept_flash.h"

#include <string.h>

#include "semihosting.h"

static const char *after(const char *text, const char *name)
{
    const size_t n = strlen(name);

    for (; *text != '\0'; text++) {
        if (strncmp(text, name, n) == 0) {
            return text + n;
        }
    }
    return NULL;
}

/* What stands behind the name among the emulator's arguments; NULL where it is not there. */
static const char *argument(const char *name)
{
    static char text[160];

    return rw_semihosting_arguments(text, sizeof text) ? after(text, name) : NULL;
}

static uint32_t number_argument(const char *name)
{
    uint32_t value = 0;

    for (const char *digit = argument(name); digit != NULL && *digit >= '0' && *digit <= '9'; digit++) {
        value = 10u * value + (uint32_t)(*digit - '0');
    }
    return value;
}

void rw_emulated_name(char name[RW_NAME_BYTES], const char *otherwise)
{
    const char *given = argument("name=");
    size_t n = 0;

    for (const char *from = given != NULL ? given : otherwise; n < RW_NAME_BYTES - 1u && from[n] > ' '; n++) {
        name[n] = from[n];
    }
    name[n] = '\0';
}

static void write_through(void *context, uint32_t at, size_t n)
{
    const struct rw_kept_flash *kept = context;

    if (!rw_semihosting_seek(kept->file, at) || !rw_semihosting_write(kept->file, kept->nor.memory + at, n)) {
        rw_semihosting_print("the file of the flash cannot be written\n");
        rw_semihosting_exit(1);
    }
}

static void cut(void *context)
{
    (void)context;
    rw_semihosting_exit(RW_POWER_CUT);
}

void rw_kept_flash_open(struct rw_kept_flash *kept)
{
    struct rw_nor *nor = &kept->nor;

    kept->file = rw_semihosting_open_kept("flash.bin");
    if (kept->file < 0) {
        rw_semihosting_print("flash.bin cannot be opened\n");
        rw_semihosting_exit(1);
    }
    const size_t n = rw_semihosting_read(kept->file, nor->memory, nor->flash.bytes);
    memset(nor->memory + n, 0xFF, nor->flash.bytes - n);
    nor->context = kept;
    nor->changed = write_through;
    nor->cut = cut;
    nor->cut_at = number_argument("cut=");
    write_through(kept, (uint32_t)n, nor->flash.bytes - n);
}

enum rw_board_status rw_kept_flash_erase(void *kept, uint32_t sector)
{
    return rw_nor_erase(&((struct rw_kept_flash *)kept)->nor, sector);
}

enum rw_board_status rw_kept_flash_program(void *kept, uint32_t at, const uint8_t *from, size_t n)
{
    return rw_nor_program(&((struct rw_kept_flash *)kept)->nor, at, from, n);
}
