/* The features of a node, in order, and what their values depend on.
 * Written by `python -m edge.node.contract`; not to be edited. */
#ifndef RW_FEATURE_CONTRACT_H
#define RW_FEATURE_CONTRACT_H

/* First 8 bytes of the SHA-256 of the contract. */
#define RW_FEATURE_HASH {0xcb, 0xaf, 0x34, 0x9d, 0x5d, 0x43, 0x6f, 0xb2}
#define RW_FEATURE_HASH_BYTES 8

/* What must be known beside the samples; the bearing's lines need the speed too. */
#define RW_NEEDS_NOTHING 0
#define RW_NEEDS_SPEED 1
#define RW_NEEDS_BEARING 2

/* X(identifier, name, unit, needs); x in a unit is that of the samples. */
#define RW_FEATURES(X) \
    X(MEAN, "mean", "x", RW_NEEDS_NOTHING)                                        \
    X(STD, "std", "x", RW_NEEDS_NOTHING)                                          \
    X(RMS, "rms", "x", RW_NEEDS_NOTHING)                                          \
    X(PEAK, "peak", "x", RW_NEEDS_NOTHING)                                        \
    X(MINIMUM, "minimum", "x", RW_NEEDS_NOTHING)                                  \
    X(MAXIMUM, "maximum", "x", RW_NEEDS_NOTHING)                                  \
    X(PEAK_TO_PEAK, "peak_to_peak", "x", RW_NEEDS_NOTHING)                        \
    X(MEAN_ABS, "mean_abs", "x", RW_NEEDS_NOTHING)                                \
    X(ROOT_AMPLITUDE, "root_amplitude", "x", RW_NEEDS_NOTHING)                    \
    X(SKEWNESS, "skewness", "1", RW_NEEDS_NOTHING)                                \
    X(KURTOSIS, "kurtosis", "1", RW_NEEDS_NOTHING)                                \
    X(HYPERSKEWNESS, "hyperskewness", "1", RW_NEEDS_NOTHING)                      \
    X(HYPERFLATNESS, "hyperflatness", "1", RW_NEEDS_NOTHING)                      \
    X(CREST_FACTOR, "crest_factor", "1", RW_NEEDS_NOTHING)                        \
    X(SHAPE_FACTOR, "shape_factor", "1", RW_NEEDS_NOTHING)                        \
    X(IMPULSE_FACTOR, "impulse_factor", "1", RW_NEEDS_NOTHING)                    \
    X(CLEARANCE_FACTOR, "clearance_factor", "1", RW_NEEDS_NOTHING)                \
    X(ZERO_CROSSING_RATE, "zero_crossing_rate", "1", RW_NEEDS_NOTHING)            \
    X(SPECTRAL_CENTROID, "spectral_centroid", "Hz", RW_NEEDS_NOTHING)             \
    X(SPECTRAL_SPREAD, "spectral_spread", "Hz", RW_NEEDS_NOTHING)                 \
    X(RMS_FREQUENCY, "rms_frequency", "Hz", RW_NEEDS_NOTHING)                     \
    X(DOMINANT_FREQUENCY, "dominant_frequency", "Hz", RW_NEEDS_NOTHING)           \
    X(DOMINANT_SHARE, "dominant_share", "1", RW_NEEDS_NOTHING)                    \
    X(OCTAVE_RMS_1, "octave_rms_1", "x", RW_NEEDS_NOTHING)                        \
    X(OCTAVE_RMS_2, "octave_rms_2", "x", RW_NEEDS_NOTHING)                        \
    X(OCTAVE_RMS_3, "octave_rms_3", "x", RW_NEEDS_NOTHING)                        \
    X(OCTAVE_RMS_4, "octave_rms_4", "x", RW_NEEDS_NOTHING)                        \
    X(OCTAVE_RMS_5, "octave_rms_5", "x", RW_NEEDS_NOTHING)                        \
    X(OCTAVE_RMS_6, "octave_rms_6", "x", RW_NEEDS_NOTHING)                        \
    X(OCTAVE_RMS_7, "octave_rms_7", "x", RW_NEEDS_NOTHING)                        \
    X(VELOCITY_RMS, "velocity_rms", "mm/s", RW_NEEDS_NOTHING)                     \
    X(ORDER_HALF, "order_half", "x", RW_NEEDS_SPEED)                              \
    X(ORDER_1, "order_1", "x", RW_NEEDS_SPEED)                                    \
    X(ORDER_2, "order_2", "x", RW_NEEDS_SPEED)                                    \
    X(ORDER_3, "order_3", "x", RW_NEEDS_SPEED)                                    \
    X(ORDER_4, "order_4", "x", RW_NEEDS_SPEED)                                    \
    X(ENVELOPE_RMS, "envelope_rms", "x", RW_NEEDS_NOTHING)                        \
    X(ENVELOPE_CREST, "envelope_crest", "1", RW_NEEDS_NOTHING)                    \
    X(ENVELOPE_KURTOSIS, "envelope_kurtosis", "1", RW_NEEDS_NOTHING)              \
    X(ENVELOPE_LINE, "envelope_line", "1", RW_NEEDS_NOTHING)                      \
    X(ENVELOPE_LINE_FREQUENCY, "envelope_line_frequency", "Hz", RW_NEEDS_NOTHING) \
    X(BPFO_CONTRAST, "bpfo_contrast", "1", RW_NEEDS_BEARING)                      \
    X(BPFI_CONTRAST, "bpfi_contrast", "1", RW_NEEDS_BEARING)                      \
    X(BSF_CONTRAST, "bsf_contrast", "1", RW_NEEDS_BEARING)                        \
    X(FTF_CONTRAST, "ftf_contrast", "1", RW_NEEDS_BEARING)                        \
    X(PACKET_SHARE_00, "packet_share_00", "1", RW_NEEDS_NOTHING)                  \
    X(PACKET_SHARE_01, "packet_share_01", "1", RW_NEEDS_NOTHING)                  \
    X(PACKET_SHARE_02, "packet_share_02", "1", RW_NEEDS_NOTHING)                  \
    X(PACKET_SHARE_03, "packet_share_03", "1", RW_NEEDS_NOTHING)                  \
    X(PACKET_SHARE_04, "packet_share_04", "1", RW_NEEDS_NOTHING)                  \
    X(PACKET_SHARE_05, "packet_share_05", "1", RW_NEEDS_NOTHING)                  \
    X(PACKET_SHARE_06, "packet_share_06", "1", RW_NEEDS_NOTHING)                  \
    X(PACKET_SHARE_07, "packet_share_07", "1", RW_NEEDS_NOTHING)                  \
    X(PACKET_SHARE_08, "packet_share_08", "1", RW_NEEDS_NOTHING)                  \
    X(PACKET_SHARE_09, "packet_share_09", "1", RW_NEEDS_NOTHING)                  \
    X(PACKET_SHARE_10, "packet_share_10", "1", RW_NEEDS_NOTHING)                  \
    X(PACKET_SHARE_11, "packet_share_11", "1", RW_NEEDS_NOTHING)                  \
    X(PACKET_SHARE_12, "packet_share_12", "1", RW_NEEDS_NOTHING)                  \
    X(PACKET_SHARE_13, "packet_share_13", "1", RW_NEEDS_NOTHING)                  \
    X(PACKET_SHARE_14, "packet_share_14", "1", RW_NEEDS_NOTHING)                  \
    X(PACKET_SHARE_15, "packet_share_15", "1", RW_NEEDS_NOTHING)

#define RW_FEATURE_ENTRY(identifier, name, unit, needs) RW_FEATURE_##identifier,
enum rw_feature { RW_FEATURES(RW_FEATURE_ENTRY) RW_N_FEATURES };
#undef RW_FEATURE_ENTRY

#define RW_SMALLEST_WINDOW 256
#define RW_LARGEST_WINDOW 4096
#define RW_N_OCTAVES 7
#define RW_N_ORDERS 5
#define RW_ORDERS {0.5f, 1.0f, 2.0f, 3.0f, 4.0f}
#define RW_N_PACKETS 16
#define RW_PACKET_POLYNOMIAL {1.0f, 4.0f, 10.0f, 20.0f}
#define RW_VELOCITY_LOW_HZ 10.0f
#define RW_VELOCITY_HIGH_HZ 1000.0f
#define RW_STANDARD_GRAVITY 9.80665f
#define RW_FIRST_BIN_OF_INTEGRALS 2
#define RW_LEAST_REVOLUTIONS 4.0f
#define RW_LEAST_PERIODS 3.0f
#define RW_ENVELOPE_FROM_SHARE 0.1f
#define RW_SPEED_TOLERANCE {0.01f, 2.2351741e-10f}
#define RW_SLIP {0.02f, 4.4703483e-10f}

#endif
