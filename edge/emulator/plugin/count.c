/* QEMU plugin that counts, for each inference and operator, how often each translated block ran and how it was left.
 *
 * Arguments: out=FILE, run=ADDRESS-END (the function of the library that runs an inference), any number of
 * op=ADDRESS-INDEX (entry of an operator's function, hexadecimal and decimal), and laps=on.
 * An inference lasts from the entry of run until control is back behind the instruction that called it; with laps=on, until
 * run is entered again. Index 0 counts what run itself executes, index i the operator whose entry was passed last and all
 * that it calls.
 * The file takes eight words of 64 bits for each block that ran: inference, index, start and end of the block, its
 * instructions, how often it was executed, left by a taken branch, and entered from the block just before it in memory.
 *
 * QEMU is free software under the GNU GPL, version 2. This file is our own work, compiled on the user's machine against the
 * few functions declared below, and serves as a test tool: no part of it reaches a node or the Raceway distribution's
 * programs. It uses the heap and globals, which QEMU's callbacks leave no way around.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Declared by hand: Debian does not package the header. Tried with QEMU 7.2, which has interface 1 and wants no later one;
 * QEMU 9.0 and later want 2 or more, which removed the function asked for below and changed nothing that is used here. */
#define API __attribute__((visibility("default")))
struct qemu_plugin_tb;
struct qemu_plugin_insn;
typedef void (*translated_callback)(uint64_t id, struct qemu_plugin_tb *tb);
typedef void (*executed_callback)(unsigned int cpu, void *data);
enum flags { NO_REGISTERS };
void qemu_plugin_register_vcpu_tb_trans_cb(uint64_t id, translated_callback callback);
void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *tb, executed_callback callback, enum flags flags,
                                          void *data);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *tb);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t index);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *insn);
size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *insn);
extern int qemu_plugin_n_vcpus(void) __attribute__((weak));
API int qemu_plugin_version;
API int qemu_plugin_install(uint64_t id, const void *info, int argc, char **argv);

/* QEMU reads the version after it has loaded the plugin, so it can depend on who loads it. */
__attribute__((constructor)) static void choose_version(void)
{
    qemu_plugin_version = qemu_plugin_n_vcpus != NULL ? 1 : 2;
}

#define MAX_ENTRIES 4096u
#define BUCKETS 4096u
#define KEEP UINT32_MAX /* a block that changes nothing about which operator runs */

struct counter {
    uint64_t executed, taken, straight;
};

struct block {
    uint64_t start, end, instructions;
    uint32_t index;
    struct counter *counters; /* one for each index */
    struct block *next;
};

struct entry {
    uint64_t address;
    uint32_t index;
};

static struct {
    FILE *out;
    uint64_t run, run_end;
    struct entry entries[MAX_ENTRIES];
    uint32_t n_entries, n_indices;
    struct block *blocks[BUCKETS];
    struct block *previous;
    struct counter *counter; /* of the previous block, while an inference lasts */
    uint64_t inference, return_to;
    uint32_t index;
    bool laps;
} state;

static uint32_t index_of(uint64_t start)
{
    if (start >= state.run && start < state.run_end) {
        return 0;
    }
    for (uint32_t i = 0; i < state.n_entries; i++) {
        if (state.entries[i].address == start) {
            return state.entries[i].index;
        }
    }
    return KEEP;
}

static void write_block(struct block *block)
{
    for (uint32_t i = 0; i < state.n_indices; i++) {
        const struct counter *c = &block->counters[i];
        const uint64_t record[8] = {state.inference, i,           block->start, block->end, block->instructions,
                                    c->executed,     c->taken, c->straight};
        if (c->executed != 0 && fwrite(record, sizeof record, 1, state.out) != 1) {
            perror("count plugin");
            exit(EXIT_FAILURE);
        }
    }
    memset(block->counters, 0, state.n_indices * sizeof *block->counters);
}

static void end_inference(void)
{
    for (size_t b = 0; b < BUCKETS; b++) {
        for (struct block *block = state.blocks[b]; block != NULL; block = block->next) {
            write_block(block);
        }
    }
    (void)fflush(state.out);
    state.inference++;
    state.counter = NULL;
}

static void executed(unsigned int cpu, void *data)
{
    struct block *block = data;
    const bool straight = state.previous != NULL && state.previous->end == block->start;
    const bool within = state.counter != NULL;

    (void)cpu;
    if (within && !straight) {
        state.counter->taken++;
    }
    if (within && block->start == state.return_to) {
        end_inference();
    }
    if (state.counter == NULL && block->start == state.run && state.previous != NULL) {
        state.return_to = state.laps ? state.run : state.previous->end;
        state.counter = &block->counters[0];
    }
    if (state.counter != NULL) {
        state.index = block->index == KEEP ? state.index : block->index;
        state.counter = &block->counters[state.index];
        state.counter->executed++;
        state.counter->straight += within && straight;
    }
    state.previous = block;
}

static struct block *find_block(uint64_t start, uint64_t end, uint64_t instructions)
{
    struct block **place = &state.blocks[(start >> 1) % BUCKETS];

    while (*place != NULL && ((*place)->start != start || (*place)->end != end)) {
        place = &(*place)->next;
    }
    if (*place == NULL) {
        *place = calloc(1, sizeof **place);
        struct counter *counters = calloc(state.n_indices, sizeof *counters);
        if (*place == NULL || counters == NULL) {
            perror("count plugin");
            exit(EXIT_FAILURE);
        }
        **place = (struct block){start, end, instructions, index_of(start), counters, NULL};
    }
    return *place;
}

static void translated(uint64_t id, struct qemu_plugin_tb *tb)
{
    const size_t n = qemu_plugin_tb_n_insns(tb);
    const struct qemu_plugin_insn *last = qemu_plugin_tb_get_insn(tb, n - 1);
    const uint64_t end = qemu_plugin_insn_vaddr(last) + qemu_plugin_insn_size(last);

    (void)id;
    struct block *block = find_block(qemu_plugin_tb_vaddr(tb), end, n);
    qemu_plugin_register_vcpu_tb_exec_cb(tb, executed, NO_REGISTERS, block);
}

static bool read_argument(const char *text)
{
    uint64_t address;
    uint32_t index;

    if (strncmp(text, "out=", 4) == 0) {
        state.out = fopen(text + 4, "wb");
        return state.out != NULL;
    }
    if (strcmp(text, "laps=on") == 0) {
        state.laps = true;
        return true;
    }
    if (sscanf(text, "run=%" SCNx64 "-%" SCNx64, &state.run, &state.run_end) == 2) {
        return true;
    }
    if (sscanf(text, "op=%" SCNx64 "-%" SCNu32, &address, &index) == 2 && state.n_entries < MAX_ENTRIES) {
        state.entries[state.n_entries++] = (struct entry){address, index};
        state.n_indices = index + 1 > state.n_indices ? index + 1 : state.n_indices;
        return true;
    }
    return false;
}

int qemu_plugin_install(uint64_t id, const void *info, int argc, char **argv)
{
    (void)info;
    state.n_indices = 1;
    for (int i = 0; i < argc; i++) {
        if (!read_argument(argv[i])) {
            (void)fprintf(stderr, "count plugin: cannot use the argument %s\n", argv[i]);
            return 1;
        }
    }
    if (state.out == NULL || state.run == state.run_end) {
        (void)fprintf(stderr, "count plugin: out= and run= are needed\n");
        return 1;
    }
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    return 0;
}
