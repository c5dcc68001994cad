/* A board that is a process of Linux: its lines are sockets, its flash is a file, and it fails on demand.
 *
 *   name=NAME       of this board among others
 *   link=PATH       the line of the link: a socket on which one peer at a time is served
 *   samples=PATH    samples over a socket, as rw_sample_port reads them; the board waits for room
 *   replay=PATH     samples of a file of int16, over and over, at rate=HZ and never waiting: what finds no room is lost
 *   wait=1          the program starts only when every line has a peer
 *   flash=PATH      the file of the flash
 *   cut=N           the supply fails in the N-th operation of flash: the process ends with status 77
 *   low=N           the supply is low while the N-th second of the process runs, from 0
 *   lose-ppm=N      so many of a million bytes of the link are lost, each way
 *   lose-frames=N   so many of a million frames of the link are lost, each way: what a zero byte ends
 *   lose-samples=N  each so many samples, one is lost
 *   up=MS down=MS   the link works for so long, then it loses everything for so long, in turn
 *   hang=1          while the link is down, its line is closed
 *   seed=N          of what is lost
 * A reset starts the program again within the process. The watchdog is an alarm of 4 s.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "rw_nor.h"
#include "rw_sample_port.h"

#define FLASH_BYTES 0x40000u
#define SECTOR_BYTES 4096u
#define UNIT_BYTES 8u
#define WATCHDOG_S 4u
#define POWER_CUT 77
#define MILLION 1000000u
#define REPLAYED_AT_ONCE 32u /* samples: what the node has room for, while it sleeps */

struct rw_line {
    int listening, peer; /* -1 where there is none */
    const char *path;    /* NULL where it is not asked for */
};

/* Of frames, one way: whether the one at hand is lost, and whether that is drawn yet. */
struct rw_loss {
    bool within, lost;
};

struct rw_host {
    struct rw_line link, samples;
    const struct rw_sink *node;
    struct rw_sample_port port;
    uint8_t unread[4096]; /* of the samples' line */
    size_t n_unread, next_unread;
    struct rw_nor nor;
    int flash_file;
    int16_t *replay;
    size_t replay_n;
    uint64_t replayed, taken; /* samples so far: of the replay, and of all */
    uint32_t rate_hz, lose_ppm, lose_frames, lose_samples, up_ms, down_ms, low_s, waits, hangs;
    struct rw_loss in, out;
    uint64_t random;
    uint64_t started_ns, replay_started_ns;
    enum rw_reset reason;
    bool has_low, busy;
    sigjmp_buf start;
    char name[33];
};

static struct rw_host host = {.link = {-1, -1, NULL}, .samples = {-1, -1, NULL}, .flash_file = -1, .name = "host"};
static uint8_t flash_memory[FLASH_BYTES] __attribute__((aligned(8)));

/* Leak detection wants rights over processes that containers withhold. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "detect_leaks=0";
}

static _Noreturn void stop(const char *what)
{
    fprintf(stderr, "rw_host: %s: %s\n", what, strerror(errno));
    exit(1);
}

static uint64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* A linear congruential generator: which byte is lost is no secret, but it can be repeated. */
static uint32_t drawn_below(uint32_t n)
{
    host.random = host.random * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)((host.random >> 33) % n);
}

static uint32_t now_ms(void *context)
{
    (void)context;
    return (uint32_t)((now_ns() - host.started_ns) / 1000000u);
}

static bool link_is_down(void)
{
    return host.down_ms != 0 && now_ms(NULL) % (host.up_ms + host.down_ms) >= host.up_ms;
}

static bool byte_is_lost(void)
{
    return host.lose_ppm != 0 && drawn_below(MILLION) < host.lose_ppm;
}

static bool frame_is_lost(struct rw_loss *loss, uint8_t byte)
{
    if (!loss->within) {
        loss->within = true;
        loss->lost = host.lose_frames != 0 && drawn_below(MILLION) < host.lose_frames;
    }
    if (byte == 0) {
        loss->within = false;
    }
    return loss->lost;
}

static void listen_on(struct rw_line *line)
{
    const char *path = line->path;
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    if (path == NULL) {
        return;
    }
    if (strlen(path) >= sizeof address.sun_path) {
        errno = ENAMETOOLONG;
        stop(path);
    }
    strcpy(address.sun_path, path);
    unlink(path);
    line->listening = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (line->listening < 0 || bind(line->listening, (const struct sockaddr *)&address, sizeof address) != 0 ||
        listen(line->listening, 1) != 0) {
        stop(path);
    }
}

static void accept_peer(struct rw_line *line)
{
    if (line->peer < 0 && line->listening >= 0) {
        line->peer = accept4(line->listening, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    }
}

static void close_peer(struct rw_line *line)
{
    close(line->peer);
    line->peer = -1;
}

static size_t read_line(struct rw_line *line, uint8_t *to, size_t n)
{
    accept_peer(line);
    const ssize_t got = line->peer < 0 ? -1 : read(line->peer, to, n);
    if (line->peer >= 0 && (got == 0 || (got < 0 && errno != EAGAIN))) {
        close_peer(line);
    }
    return got > 0 ? (size_t)got : 0;
}

static size_t keep_some(struct rw_loss *loss, uint8_t *bytes, size_t n)
{
    size_t kept = 0;

    for (size_t i = 0; i < n && !link_is_down(); i++) {
        if (!frame_is_lost(loss, bytes[i]) && !byte_is_lost()) {
            bytes[kept++] = bytes[i];
        }
    }
    return kept;
}

/* The peer sees the line closed, and is let in again when the link is up. */
static bool link_hangs(void)
{
    if (!host.hangs || !link_is_down()) {
        return false;
    }
    if (host.link.peer >= 0) {
        close_peer(&host.link);
    }
    return true;
}

static size_t receive(void *context, uint8_t *to, size_t n)
{
    (void)context;
    return link_hangs() ? 0 : keep_some(&host.in, to, read_line(&host.link, to, n));
}

/* Without a peer, or while the link is down, bytes are lost as on an open wire. */
static size_t send_bytes(void *context, const uint8_t *from, size_t n)
{
    uint8_t kept[512];

    (void)context;
    if (!link_hangs()) {
        accept_peer(&host.link);
    }
    n = n < sizeof kept ? n : sizeof kept;
    if (host.link.peer < 0 || (host.lose_ppm == 0 && host.lose_frames == 0)) {
        if (host.link.peer < 0 || link_is_down()) {
            return n;
        }
        const ssize_t sent = send(host.link.peer, from, n, MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN) {
            close_peer(&host.link);
        }
        return sent > 0 ? (size_t)sent : 0;
    }
    memcpy(kept, from, n);
    const size_t left = keep_some(&host.out, kept, n);
    for (size_t done = 0; done < left;) { /* what was drawn as lost must not be drawn again: all of it goes out now */
        const ssize_t sent = send(host.link.peer, kept + done, left - done, MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN) {
            close_peer(&host.link);
            break;
        }
        done += sent > 0 ? (size_t)sent : 0;
    }
    return n;
}

/* Stands before the node's sink, and loses what is to be lost. */
static size_t put(void *context, const int16_t *samples, size_t n)
{
    (void)context;
    (void)n; /* 1 */
    if (host.lose_samples != 0 && (host.taken + 1u) % host.lose_samples == 0) {
        host.node->lost(host.node->context, 1);
    } else if (host.node->put(host.node->context, samples, 1) == 0) {
        return 0;
    }
    host.taken++;
    return 1;
}

static void lost(void *context, uint32_t n)
{
    (void)context;
    host.node->lost(host.node->context, n);
}

static const struct rw_sink filter = {NULL, put, lost};

static void replay_due(void)
{
    if (host.replay == NULL || host.port.sink == NULL) {
        return;
    }
    const uint64_t due = (now_ns() - host.replay_started_ns) / 1000u * host.rate_hz / MILLION;
    for (; host.replayed < due; host.replayed++) {
        if (put(NULL, &host.replay[host.replayed % host.replay_n], 1) == 0) {
            lost(NULL, 1);
        }
    }
}

static bool next_sample_byte(uint8_t *byte)
{
    if (host.next_unread == host.n_unread) {
        host.n_unread = read_line(&host.samples, host.unread, sizeof host.unread);
        host.next_unread = 0;
    }
    if (host.next_unread == host.n_unread) {
        return false;
    }
    *byte = host.unread[host.next_unread++];
    return true;
}

static void read_samples(void)
{
    uint8_t byte;

    while (host.port.sink != NULL && !host.port.held && next_sample_byte(&byte)) {
        (void)rw_sample_port_byte(&host.port, byte);
        host.busy = true;
    }
}

static struct pollfd watched(const struct rw_line *line)
{
    const struct pollfd fd = {line->peer >= 0 ? line->peer : line->listening, POLLIN, 0};
    return fd;
}

static void sleep_ms(void *context, uint32_t ms)
{
    struct pollfd fds[2] = {watched(&host.link), watched(&host.samples)};
    const uint32_t whole_ms = host.rate_hz == 0 ? 0 : REPLAYED_AT_ONCE * 1000u / host.rate_hz;
    const uint32_t replaying_ms = whole_ms < 5u ? 5u : whole_ms;

    (void)context;
    if (link_hangs()) {
        fds[0].fd = -1;
    }
    if (host.port.sink == NULL || host.port.held) {
        fds[1].fd = -1;
    }
    if (host.replay != NULL && ms > replaying_ms) {
        ms = replaying_ms;
    }
    (void)poll(fds, 2, host.busy ? 0 : (int)ms);
    host.busy = false;
    read_samples();
    replay_due();
}

static void sample(void *context, const struct rw_sink *sink)
{
    (void)context;
    host.node = sink;
    host.port.sink = &filter;
    host.replay_started_ns = now_ns();
    host.replayed = 0;
}

static void resume(void *context)
{
    (void)context;
    if (host.port.sink != NULL && rw_sample_port_resume(&host.port)) {
        read_samples();
    }
}

static void changed(void *context, uint32_t at, size_t n)
{
    (void)context;
    if (host.flash_file >= 0 && pwrite(host.flash_file, flash_memory + at, n, at) != (ssize_t)n) {
        stop("the file of the flash");
    }
}

static void cut(void *context)
{
    (void)context;
    _exit(POWER_CUT);
}

static enum rw_board_status erase(void *context, uint32_t sector)
{
    return rw_nor_erase(context, sector);
}

static enum rw_board_status program(void *context, uint32_t at, const uint8_t *from, size_t n)
{
    return rw_nor_program(context, at, from, n);
}

static void kick(void *context)
{
    (void)context;
    alarm(WATCHDOG_S);
}

static void start_again(enum rw_reset reason)
{
    host.reason = reason;
    memset(&host.port, 0, sizeof host.port);
    siglongjmp(host.start, 1);
}

static void on_alarm(int number)
{
    (void)number;
    start_again(RW_RESET_WATCHDOG);
}

static enum rw_reset reset_reason(void *context)
{
    (void)context;
    return host.reason;
}

static bool supply_low(void *context)
{
    (void)context;
    return host.has_low && now_ms(NULL) / 1000u == host.low_s;
}

static void reset(void *context)
{
    (void)context;
    start_again(RW_RESET_REQUESTED);
}

static void open_flash(const char *path)
{
    memset(flash_memory, 0xFF, sizeof flash_memory);
    host.flash_file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (host.flash_file < 0 || pread(host.flash_file, flash_memory, sizeof flash_memory, 0) < 0) {
        stop(path);
    }
}

static void open_replay(const char *path)
{
    FILE *file = fopen(path, "rb");

    if (file == NULL || fseek(file, 0, SEEK_END) != 0) {
        stop(path);
    }
    host.replay_n = (size_t)ftell(file) / sizeof(int16_t);
    host.replay = malloc(host.replay_n * sizeof(int16_t) + 1u);
    rewind(file);
    if (host.replay == NULL || host.replay_n == 0 ||
        fread(host.replay, sizeof(int16_t), host.replay_n, file) != host.replay_n) {
        stop(path);
    }
    fclose(file);
}

static bool is(const char *argument, const char *name, const char **value)
{
    const size_t n = strlen(name);

    *value = argument + n + 1;
    return strncmp(argument, name, n) == 0 && argument[n] == '=';
}

static bool take_number(const char *argument)
{
    const struct {
        const char *name;
        uint32_t *to;
    } numbers[] = {
        {"cut", &host.nor.cut_at},     {"rate", &host.rate_hz},           {"low", &host.low_s},
        {"lose-ppm", &host.lose_ppm},  {"lose-samples", &host.lose_samples}, {"up", &host.up_ms},
        {"down", &host.down_ms},       {"wait", &host.waits},              {"hang", &host.hangs},
        {"lose-frames", &host.lose_frames},
    };
    const char *value;

    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        if (is(argument, numbers[i].name, &value)) {
            *numbers[i].to = (uint32_t)strtoul(value, NULL, 10);
            host.has_low = host.has_low || numbers[i].to == &host.low_s;
            return true;
        }
    }
    if (is(argument, "seed", &value)) {
        host.random = strtoull(value, NULL, 10);
        return true;
    }
    return false;
}

static void take_argument(const char *argument)
{
    const char *value;

    if (is(argument, "link", &value)) {
        host.link.path = value;
    } else if (is(argument, "samples", &value)) {
        host.samples.path = value;
    } else if (is(argument, "replay", &value)) {
        open_replay(value);
    } else if (is(argument, "name", &value) && value[0] != '\0' && strlen(value) < sizeof host.name) {
        strcpy(host.name, value);
    } else if (is(argument, "flash", &value)) {
        open_flash(value);
    } else if (!take_number(argument)) {
        errno = EINVAL;
        stop(argument);
    }
}

static const struct rw_board board = {
    .context = &host.nor,
    .name = host.name,
    .flash = {flash_memory, FLASH_BYTES, SECTOR_BYTES, UNIT_BYTES},
    .now_ms = now_ms,
    .sleep = sleep_ms,
    .sample = sample,
    .resume = resume,
    .receive = receive,
    .send = send_bytes,
    .erase = erase,
    .program = program,
    .kick = kick,
    .reset_reason = reset_reason,
    .supply_low = supply_low,
    .reset = reset,
};

static void wait_for(struct rw_line *line)
{
    struct pollfd fd = {line->listening, POLLIN, 0};

    while (line->listening >= 0 && line->peer < 0) {
        (void)poll(&fd, 1, -1);
        accept_peer(line);
    }
}

int main(int argc, char **argv)
{
    memset(flash_memory, 0xFF, sizeof flash_memory);
    host.started_ns = now_ns();
    for (int i = 1; i < argc; i++) {
        take_argument(argv[i]);
    }
    /* Only now: who finds a line open takes all arguments for good ones. */
    listen_on(&host.link);
    listen_on(&host.samples);
    host.nor.memory = flash_memory;
    host.nor.flash = board.flash;
    host.nor.changed = changed;
    host.nor.cut = cut;
    if (host.waits) {
        wait_for(&host.link);
        wait_for(&host.samples);
    }
    signal(SIGALRM, on_alarm);
    (void)sigsetjmp(host.start, 1);
    kick(NULL);
    return rw_program(&board);
}
