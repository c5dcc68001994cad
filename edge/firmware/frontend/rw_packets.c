/* E[i] = sum over k of P[k] R[i][k], E over its sum: R[i][k] is the squared response at bin k of the filters on the way
 * to packet i of level 4, level j answering at 2^j times the frequency. Daubechies' low-pass has the squared response
 * c^4 P(s), its high-pass s^4 P(c), with s = sin^2(w / 2) and c = cos^2(w / 2), so that no filter is run and no table
 * held; s and c of twice the frequency are 4 s c and (c - s)^2. Each keeps its digits where it is small. Source:
 * packet_powers of features/packets.py; Daubechies, Ten Lectures on Wavelets (1992), section 6.1.
 */
#include "rw_packets.h"

#include "rw_feature_contract.h"
#include "rw_fft.h"
#include "rw_pair.h"
#include "rw_spectrum.h"
#include "rw_tables.h"

#define RW_LEVELS 4
#define RW_BLOCK 32

_Static_assert(RW_N_PACKETS == 1 << RW_LEVELS, "packets of another level");

struct rw_responses {
    float low, high; /* squared, of the two filters of one level */
};

static inline float rw_half_response(float kept, float stopped)
{
    static const float p[] = RW_PACKET_POLYNOMIAL;
    const float squared = kept * kept;
    return squared * squared * (p[0] + stopped * (p[1] + stopped * (p[2] + stopped * p[3])));
}

/* Of bin k <= n/4 at all levels: sin^2(w / 2) comes from the sine, without a difference. */
static inline void rw_respond(size_t n, size_t k, struct rw_responses *levels)
{
    const struct rw_complex root = rw_root_of_unity(k * (RW_TURN / n));
    float c = 0.5f * (1.0f + root.re), s = 0.25f * root.im * root.im / c;
    for (size_t j = 0; j < RW_LEVELS; ++j) {
        levels[j].low = rw_half_response(c, s);
        levels[j].high = rw_half_response(s, c);
        const float difference = c - s;
        s = 4.0f * s * c;
        c = difference * difference;
    }
}

/* The four packets below one of level 2. */
static inline void rw_add_four(float *energies, float power, const float *below)
{
    energies[0] += power * below[0];
    energies[1] += power * below[1];
    energies[2] += power * below[2];
    energies[3] += power * below[3];
}

/* Energies of bins first to last, at most n/4, in the order of the tree, and of their mirror images at n/2 - k: there
 * the first level's filters change places, and the others answer the same. */
static void rw_sum_block(const struct rw_complex *z, size_t n, size_t first, size_t last, float *energies)
{
    for (size_t k = first; k <= last; ++k) {
        struct rw_responses r[RW_LEVELS];
        rw_respond(n, k, r);
        const float power = k > 0 ? rw_bin_power(z, n, k) : 0.0f;
        const float mirrored = k < n / 4 ? rw_bin_power(z, n, n / 2 - k) : 0.0f;
        const float low = power * r[0].low + mirrored * r[0].high, high = power * r[0].high + mirrored * r[0].low;
        const float below[4] = {r[2].low * r[3].low, r[2].low * r[3].high, r[2].high * r[3].low,
                                r[2].high * r[3].high};
        rw_add_four(energies, low * r[1].low, below);
        rw_add_four(energies + 4, low * r[1].high, below);
        rw_add_four(energies + 8, high * r[1].low, below);
        rw_add_four(energies + 12, high * r[1].high, below);
    }
}

void rw_packets_features(const struct rw_complex *z, size_t n, float *features)
{
    struct rw_pair energies[RW_N_PACKETS] = {{0.0f, 0.0f}}, total = {0.0f, 0.0f};

    for (size_t first = 0; first <= n / 4; first += RW_BLOCK) {
        float block[RW_N_PACKETS] = {0.0f};
        const size_t last = first + RW_BLOCK - 1;
        rw_sum_block(z, n, first, last < n / 4 ? last : n / 4, block);
        for (size_t i = 0; i < RW_N_PACKETS; ++i) {
            rw_add(&energies[i], block[i]);
            rw_add(&total, block[i]);
        }
    }
    for (size_t i = 0; i < RW_N_PACKETS; ++i) {
        /* A high-pass mirrors the band below it: by ascending frequency the tree reads in Gray code. */
        const float energy = rw_value(energies[i ^ (i >> 1)]), all = rw_value(total);
        features[RW_FEATURE_PACKET_SHARE_00 + i] = all > 0.0f ? energy / all : 1.0f / RW_N_PACKETS;
    }
}
