/* A firmware that tries every function of a board, at the word of whoever sits at the other end of the line.
 *
 * A command is one byte, and what it needs behind it; numbers are of 32 bits, the low byte first:
 *   e n bytes   the n bytes come back (n is one byte)
 *   s           how many samples came, how many are missing, the sum of all modulo 2^32, how often the sink was full
 *   b n         the sink takes n further samples, then none
 *   u           the sink takes all samples, and the board is told to resume
 *   i           reset reason, milliseconds, how often sleep returned, low supply
 *   g           bytes of flash, of a sector, of a unit
 *   E sector    erases; W at, 16 bytes: writes; both answer with the status. R at: 16 bytes come back
 *   x r         resets; h hangs until the watchdog ends it; f writes to address 0 of no memory
 * Anything else is answered with '?'. Before its first command it sends '!'.
 */
#include <string.h>

#include "rw_board.h"

#define SLEEP_MS 20u
#define LONGEST 256u
#define FLASH_CHUNK 16u

struct rw_probe {
    const struct rw_board *board;
    volatile uint32_t taken, missing, sum, full, room;
    uint32_t sleeps;
    uint8_t command[2u + LONGEST];
    size_t have;
};

static size_t put(void *context, const int16_t *samples, size_t n)
{
    struct rw_probe *probe = context;
    size_t i = 0;

    for (; i < n && probe->room != 0; i++) {
        probe->room -= probe->room == UINT32_MAX ? 0u : 1u;
        probe->sum += (uint32_t)(int32_t)samples[i];
        probe->taken++;
    }
    probe->full += i < n ? 1u : 0u;
    return i;
}

static void lost(void *context, uint32_t n)
{
    ((struct rw_probe *)context)->missing += n;
}

static void send_all(const struct rw_board *board, const uint8_t *from, size_t n)
{
    while (n != 0) {
        const size_t sent = board->send(board->context, from, n);
        from += sent;
        n -= sent;
        board->kick(board->context);
    }
}

static void send_words(const struct rw_board *board, const uint32_t *words, size_t n)
{
    uint8_t bytes[4];

    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < 4; k++) {
            bytes[k] = (uint8_t)(words[i] >> 8u * k);
        }
        send_all(board, bytes, sizeof bytes);
    }
}

static uint32_t word_of(const uint8_t *from)
{
    return (uint32_t)from[0] | (uint32_t)from[1] << 8 | (uint32_t)from[2] << 16 | (uint32_t)from[3] << 24;
}

/* How many bytes the command has in all; 0 while that is not known yet. */
static size_t length_of(const struct rw_probe *probe)
{
    switch (probe->command[0]) {
    case 'e':
        return probe->have < 2u ? 0u : 2u + (size_t)probe->command[1];
    case 'b':
    case 'E':
    case 'R':
        return 5u;
    case 'W':
        return 5u + FLASH_CHUNK;
    default:
        return 1u;
    }
}

static void misbehave(const struct rw_probe *probe)
{
    const struct rw_board *board = probe->board;

    if (probe->command[0] == 'x') {
        board->reset(board->context);
    }
    while (probe->command[0] == 'h') {
        __asm__ volatile("");
    }
    if (probe->command[0] == 'f') {
        *(volatile uint32_t *)(uintptr_t)0xF0000000u = 1u;
    }
}

static void answer_flash(const struct rw_probe *probe)
{
    const struct rw_board *board = probe->board;
    const uint32_t at = word_of(probe->command + 1);
    uint32_t status;

    if (probe->command[0] == 'R') {
        send_all(board, board->flash.base + at, FLASH_CHUNK);
        return;
    }
    status = (uint32_t)(probe->command[0] == 'E' ? board->erase(board->context, at)
                                                 : board->program(board->context, at, probe->command + 5, FLASH_CHUNK));
    send_words(board, &status, 1);
}

static void answer(struct rw_probe *probe)
{
    const struct rw_board *board = probe->board;
    const uint32_t samples[4] = {probe->taken, probe->missing, probe->sum, probe->full};
    const uint32_t state[4] = {(uint32_t)board->reset_reason(board->context), board->now_ms(board->context),
                               probe->sleeps, board->supply_low(board->context) ? 1u : 0u};
    const uint32_t geometry[3] = {board->flash.bytes, board->flash.sector_bytes, board->flash.unit_bytes};

    switch (probe->command[0]) {
    case 'e':
        send_all(board, probe->command + 2, probe->command[1]);
        break;
    case 's':
        send_words(board, samples, 4);
        break;
    case 'b':
        probe->room = word_of(probe->command + 1);
        break;
    case 'u':
        probe->room = UINT32_MAX;
        board->resume(board->context);
        break;
    case 'i':
        send_words(board, state, 4);
        break;
    case 'g':
        send_words(board, geometry, 3);
        break;
    case 'E':
    case 'W':
    case 'R':
        answer_flash(probe);
        break;
    case 'x':
    case 'h':
    case 'f':
        misbehave(probe);
        break;
    default:
        send_all(board, (const uint8_t *)"?", 1);
        break;
    }
}

static void take(struct rw_probe *probe, uint8_t byte)
{
    probe->command[probe->have++] = byte;
    if (probe->have == length_of(probe)) {
        answer(probe);
        probe->have = 0;
    }
}

int rw_program(const struct rw_board *board)
{
    static struct rw_probe probe;
    const struct rw_sink sink = {&probe, put, lost};
    uint8_t bytes[32];

    memset(&probe, 0, sizeof probe);
    probe.board = board;
    probe.room = UINT32_MAX;
    board->sample(board->context, &sink);
    send_all(board, (const uint8_t *)"!", 1);
    for (;;) {
        board->kick(board->context);
        const size_t n = board->receive(board->context, bytes, sizeof bytes);
        for (size_t i = 0; i < n; i++) {
            take(&probe, bytes[i]);
        }
        if (n == 0) {
            board->sleep(board->context, SLEEP_MS);
            probe.sleeps++;
        }
    }
}
