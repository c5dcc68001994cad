/* Calls from the emulated processor to the host: files, text and the exit status. Source: see the header. */
#include "semihosting.h"

enum {
    OPEN = 0x01,
    WRITE0 = 0x04,
    WRITE = 0x05,
    READ = 0x06,
    SEEK = 0x0A,
    GET_CMDLINE = 0x15,
    EXIT_EXTENDED = 0x20,
    MODE_R_PLUS_B = 3,
    MODE_WB = 5,
    MODE_W_PLUS_B = 7,
};

#define APPLICATION_EXIT 0x20026u /* the reason that carries an exit status */

static int32_t call(uint32_t operation, const void *block)
{
    register uint32_t r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = block;

    __asm__ volatile("bkpt 0xAB" : "+r"(r0) : "r"(r1) : "memory");
    return (int32_t)r0;
}

static int32_t open_as(const char *name, uint32_t mode)
{
    uint32_t length = 0;

    while (name[length] != '\0') {
        length++;
    }
    const uint32_t block[3] = {(uint32_t)name, mode, length};
    return call(OPEN, block);
}

int32_t rw_semihosting_open(const char *name)
{
    return open_as(name, MODE_WB);
}

int32_t rw_semihosting_open_kept(const char *name)
{
    const int32_t file = open_as(name, MODE_R_PLUS_B);

    return file >= 0 ? file : open_as(name, MODE_W_PLUS_B);
}

bool rw_semihosting_seek(int32_t file, uint32_t at)
{
    const uint32_t block[2] = {(uint32_t)file, at};

    return call(SEEK, block) == 0;
}

size_t rw_semihosting_read(int32_t file, void *data, size_t n)
{
    const uint32_t block[3] = {(uint32_t)file, (uint32_t)data, n};

    return n - (size_t)call(READ, block); /* it returns how many bytes were not read */
}

bool rw_semihosting_arguments(char *text, size_t n)
{
    const uint32_t block[2] = {(uint32_t)text, n};

    return call(GET_CMDLINE, block) == 0;
}

bool rw_semihosting_write(int32_t file, const void *data, size_t n)
{
    const uint32_t block[3] = {(uint32_t)file, (uint32_t)data, n};

    return call(WRITE, block) == 0; /* it returns how many bytes were not written */
}

void rw_semihosting_print(const char *text)
{
    (void)call(WRITE0, text);
}

void rw_semihosting_print_word(uint32_t word)
{
    char text[9];

    for (size_t i = 0; i < 8; i++) {
        const uint32_t digit = (word >> (28u - 4u * i)) & 0xFu;
        text[i] = (char)(digit < 10u ? '0' + digit : 'a' + digit - 10u);
    }
    text[8] = '\0';
    rw_semihosting_print(text);
}

_Noreturn void rw_semihosting_exit(uint32_t status)
{
    const uint32_t block[2] = {APPLICATION_EXIT, status};

    for (;;) {
        (void)call(EXIT_EXTENDED, block);
    }
}
