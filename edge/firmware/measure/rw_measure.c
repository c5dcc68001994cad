/* Measures a whole firmware: gives its program windows as a converter with DMA would, and the other end of its link.
 *
 * It stands between the program, compiled with its rw_program named rw_measured_program, and the port of mps2_an386.
 * Time is its own, so that every run counts the same: it passes only while the program sleeps. Windows lie in the
 * emulator's memory; one is given each time that one would be full. What runs between rw_measure_asleep and
 * rw_measure_awake is the harness's, and is neither counted nor put on the program's stack. At the end it writes down
 * the stack that was used and what the link delivered.
 */
#include <string.h>

#include "rw_board.h"
#include "rw_cortex.h"
#include "rw_link.h"
#include "rw_messages.h"
#include "semihosting.h"

#define GIVEN_PLACE 0x21100000u
#define PEER_PLACE 0x21800000u
#define PEER_STACK_TOP 0x21900000u
#define LINE_BYTES 8192u
#define SYST_CSR RW_REGISTER(0xE000E010u)
#define FAILED 5u

int rw_measured_program(const struct rw_board *board);

struct given {
    uint32_t windows, samples;
    int16_t first[];
};

/* A line that loses nothing. */
struct line {
    uint8_t bytes[LINE_BYTES];
    size_t n;
};

struct peer {
    struct line to, from;
    _Alignas(8) uint8_t link[16384];
};

static struct rw_board board;
static const struct rw_sink *sink;
static struct rw_link *link;
static uint32_t at_ms, window, reports;

static const struct given *given(void)
{
    return (const struct given *)GIVEN_PLACE;
}

static struct peer *peer(void)
{
    return (struct peer *)PEER_PLACE;
}

/* Where the plugin looks: a window begins, the program sleeps, it wakes. */
__attribute__((noinline)) void rw_measure_next(void)
{
    __asm__ volatile("" ::: "memory");
}

__attribute__((noinline)) void rw_measure_asleep(void)
{
    __asm__ volatile("" ::: "memory");
}

__attribute__((noinline)) void rw_measure_awake(void)
{
    __asm__ volatile("" ::: "memory");
}

/* Runs a function on another stack. */
__attribute__((naked)) static void run_on(uint32_t stack_top, void (*run)(uint32_t), uint32_t argument)
{
    (void)stack_top;
    (void)run;
    (void)argument;
    __asm__ volatile("push {r4, lr}\n\t"
                     "mov r4, sp\n\t"
                     "mov sp, r0\n\t"
                     "mov r0, r2\n\t"
                     "blx r1\n\t"
                     "mov sp, r4\n\t"
                     "pop {r4, pc}\n\t");
}

static size_t move(struct line *from, uint8_t *to, size_t n)
{
    const size_t moved = n < from->n ? n : from->n;

    memcpy(to, from->bytes, moved);
    memmove(from->bytes, from->bytes + moved, from->n - moved);
    from->n -= moved;
    return moved;
}

static uint32_t now_ms(void *context)
{
    (void)context;
    return at_ms;
}

static void sample(void *context, const struct rw_sink *to)
{
    (void)context;
    sink = to;
}

static void resume(void *context)
{
    (void)context;
}

static size_t receive(void *context, uint8_t *to, size_t n)
{
    (void)context;
    return move(&peer()->from, to, n);
}

static size_t send(void *context, const uint8_t *from, size_t n)
{
    struct line *line = &peer()->to;
    const size_t moved = n < LINE_BYTES - line->n ? n : LINE_BYTES - line->n;

    (void)context;
    memcpy(line->bytes + line->n, from, moved);
    line->n += moved;
    return moved;
}

/* Takes what was sent and answers; whether there is something to read now. */
static bool answer(void)
{
    struct line *to = &peer()->to, *from = &peer()->from;
    struct rw_link_message message;

    while (to->n != 0) {
        const size_t taken = rw_link_feed(link, to->bytes, to->n, at_ms);
        uint8_t gone[1];
        memmove(to->bytes, to->bytes + taken, to->n - taken);
        to->n -= taken;
        if (rw_link_message(link, &message)) {
            reports += message.kind == RW_KIND_REPORT;
            rw_link_take(link);
        } else if (taken == 0) {
            (void)move(to, gone, 1);
        }
    }
    from->n += rw_link_output(link, from->bytes + from->n, LINE_BYTES - from->n, at_ms);
    return from->n != 0;
}

static _Noreturn void end(void)
{
    const struct rw_link_counts counts = rw_link_counts(link);
    const uint32_t words[] = {rw_cortex_stack_used(), reports, counts.damaged, counts.repeated, counts.sessions};
    const int32_t file = rw_semihosting_open("measured.bin");
    const bool written = file >= 0 && rw_semihosting_write(file, words, sizeof words);

    rw_semihosting_exit(written ? 0u : FAILED);
}

/* As two halves of a buffer come from a converter. */
static void give(void)
{
    const uint32_t n = given()->samples;
    const int16_t *samples = given()->first + window * n;

    rw_measure_next();
    if (window++ == given()->windows) {
        end();
    }
    rw_measure_awake();
    const size_t taken = sink->put(sink->context, samples, n / 2u) + sink->put(sink->context, samples + n / 2u, n / 2u);
    rw_measure_asleep();
    if (taken != n) {
        rw_semihosting_exit(FAILED);
    }
}

static void pass(uint32_t ms)
{
    const float length_ms = 1e3f * (float)RW_NODE_SAMPLES / RW_NODE_RATE_HZ;
    const uint32_t due_ms = (uint32_t)((float)(window + 1u) * length_ms);

    if (answer()) {
        at_ms++; /* a line takes its time */
        return;
    }
    if (at_ms + ms < due_ms) {
        at_ms += ms != 0 ? ms : 1u;
        return;
    }
    at_ms = due_ms > at_ms ? due_ms : at_ms;
    give();
}

static void sleep(void *context, uint32_t ms)
{
    (void)context;
    rw_measure_asleep();
    run_on(PEER_STACK_TOP, pass, ms);
    rw_measure_awake();
}

static void open_peer(void)
{
    const struct rw_link_config config = {
        .session = 0x52574D31u, /* the node counts its own from 1 */
        .name = "measuring",
        .name_bytes = 9,
        .window = 8,
        .queue_bytes = 2048,
        .resend_ms = 250,
        .longest_ms = 8000,
        .idle_ms = 5000,
    };

    memset(peer(), 0, sizeof *peer());
    if (rw_link_init(peer()->link, sizeof peer()->link, &config, at_ms, &link) != RW_LINK_OK) {
        rw_semihosting_exit(FAILED);
    }
}

int rw_program(const struct rw_board *port)
{
    SYST_CSR = 0; /* its interrupts would come at other places in each run */
    board = *port;
    board.now_ms = now_ms;
    board.sleep = sleep;
    board.sample = sample;
    board.resume = resume;
    board.receive = receive;
    board.send = send;
    open_peer();
    return rw_measured_program(&board);
}
