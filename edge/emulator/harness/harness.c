/* Runs a compiled library over n input vectors which lie in PSRAM, and writes n outputs and the stack used to a file.
 *
 * PSRAM holds the count n, then n inputs of RW_INPUT_BYTES, one behind the other from byte 8 on. The file outputs.bin
 * takes n outputs of RW_OUTPUT_BYTES, then one word: the most bytes of stack that a run took beyond its caller.
 * Before each run the arena is filled with a pattern, so that nothing rests on what an earlier run left there; guards on
 * both sides of it must be as they were. The build gives the library's names and sizes as RW_LIBRARY_*.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include RW_LIBRARY_HEADER
#include "board.h"
#include "semihosting.h"
#include "stack.h"

_Static_assert(RW_LIBRARY_ARENA_BYTES == RW_WANTED_ARENA_BYTES, "arena bytes of the header are not those given");
_Static_assert(RW_LIBRARY_INPUT_BYTES == RW_WANTED_INPUT_BYTES, "input bytes of the header are not those given");
_Static_assert(RW_LIBRARY_OUTPUT_BYTES == RW_WANTED_OUTPUT_BYTES, "output bytes of the header are not those given");

enum status {
    DONE = 0,
    NO_FILE = 2,
    NOT_WRITTEN = 3,
    OUTSIDE_ARENA = 4,
};

#define HEAD_BYTES 8u
#define GUARD_BYTES 64u
#define GUARD 0x3Cu
#define LEFT_OVER 0xA5u

static struct {
    _Alignas(8) uint8_t before[GUARD_BYTES];
    _Alignas(8) uint8_t arena[RW_LIBRARY_ARENA_BYTES];
    uint8_t after[GUARD_BYTES];
} memory;

static void fill(uint8_t *to, uint8_t value, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        to[i] = value;
    }
}

static bool guards_hold(void)
{
    for (size_t i = 0; i < GUARD_BYTES; i++) {
        if (memory.before[i] != GUARD || memory.after[i] != GUARD) {
            return false;
        }
    }
    return true;
}

static void place_input(const uint8_t *from)
{
    fill(memory.arena, LEFT_OVER, sizeof memory.arena);
    int8_t *to = RW_LIBRARY_INPUT(memory.arena);
    for (size_t i = 0; i < RW_LIBRARY_INPUT_BYTES; i++) {
        to[i] = (int8_t)from[i];
    }
}

static enum status run_all(int32_t file, uint32_t n, uint32_t *stack_bytes)
{
    const uint8_t *input = rw_board_psram + HEAD_BYTES;

    for (uint32_t i = 0; i < n; i++, input += RW_LIBRARY_INPUT_BYTES) {
        place_input(input);
        const uint32_t bytes = rw_stack_used_by(RW_LIBRARY_RUN, memory.arena, rw_board_stack_bottom);
        *stack_bytes = bytes > *stack_bytes ? bytes : *stack_bytes;
        if (!guards_hold()) {
            return OUTSIDE_ARENA;
        }
        if (!rw_semihosting_write(file, RW_LIBRARY_OUTPUT(memory.arena), RW_LIBRARY_OUTPUT_BYTES)) {
            return NOT_WRITTEN;
        }
    }
    return DONE;
}

int main(void)
{
    const uint32_t n = *(const volatile uint32_t *)(const void *)rw_board_psram;
    const int32_t file = rw_semihosting_open("outputs.bin");
    uint32_t stack_bytes = 0;

    if (file < 0) {
        return NO_FILE;
    }
    fill(memory.before, GUARD, GUARD_BYTES);
    fill(memory.after, GUARD, GUARD_BYTES);
    const enum status status = run_all(file, n, &stack_bytes);
    if (status != DONE) {
        return (int)status;
    }
    return rw_semihosting_write(file, &stack_bytes, sizeof stack_bytes) ? DONE : NOT_WRITTEN;
}
