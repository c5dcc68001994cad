/* Kinds of messages, keys of their bodies, and numbers that stand for words; see docs/LINK.md.
 * Generated from edge/node/link/messages.py, which a test holds this file to. */
#ifndef RW_MESSAGES_H
#define RW_MESSAGES_H

enum rw_kind {
    RW_KIND_HELLO = 2, /* from the node */
    RW_KIND_TIME_REQUEST = 3, /* from the node */
    RW_KIND_TIME = 4, /* from the host */
    RW_KIND_REPORT = 5, /* from the node */
    RW_KIND_WAVEFORM = 6, /* from the node */
    RW_KIND_REQUEST_WAVEFORM = 7, /* from the host */
    RW_KIND_UPDATE_BEGIN = 8, /* from the host */
    RW_KIND_UPDATE_CHUNK = 9, /* from the host */
    RW_KIND_UPDATE_QUERY = 10, /* from the host */
    RW_KIND_UPDATE_TRY = 11, /* from the host */
    RW_KIND_UPDATE_CONFIRM = 12, /* from the host */
    RW_KIND_UPDATE_ABORT = 13, /* from the host */
    RW_KIND_UPDATE_STATUS = 14, /* from the node */
    RW_KIND_CONFIGURE = 15, /* from the host */
    RW_KIND_LOG = 16, /* from the node */
};

enum rw_key_of_hello {
    RW_HELLO_FIRMWARE = 1, /* text */
    RW_HELLO_MODEL = 2, /* uint */
    RW_HELLO_CONTRACT = 3, /* bytes */
    RW_HELLO_BOOT = 4, /* uint */
    RW_HELLO_RESET = 5, /* uint */
    RW_HELLO_SLOT = 6, /* uint */
    RW_HELLO_RATE_HZ = 7, /* float */
    RW_HELLO_WINDOW = 8, /* uint */
    RW_HELLO_PERIOD_MS = 9, /* uint */
    RW_HELLO_FEATURES = 10, /* uint */
};

enum rw_key_of_time_request {
    RW_TIME_REQUEST_ASKED_MS = 1, /* uint */
};

enum rw_key_of_time {
    RW_TIME_ASKED_MS = 1, /* uint */
    RW_TIME_TIME_MS = 2, /* uint */
};

enum rw_key_of_report {
    RW_REPORT_BOOT = 1, /* uint */
    RW_REPORT_NUMBER = 2, /* uint */
    RW_REPORT_UPTIME_MS = 3, /* uint */
    RW_REPORT_TIME_MS = 4, /* uint, optional */
    RW_REPORT_STATE = 5, /* uint */
    RW_REPORT_ALARM = 6, /* bool */
    RW_REPORT_MODEL = 7, /* uint */
    RW_REPORT_SCORE = 8, /* float, optional */
    RW_REPORT_THRESHOLD = 9, /* float, optional */
    RW_REPORT_DIAGNOSIS = 10, /* uint, optional */
    RW_REPORT_PROBABILITY = 11, /* float, optional */
    RW_REPORT_SHAFT_HZ = 12, /* float, optional */
    RW_REPORT_LOST = 13, /* uint */
    RW_REPORT_KNOWN = 14, /* bytes, optional */
    RW_REPORT_FEATURES = 15, /* bytes */
};

enum rw_key_of_waveform {
    RW_WAVEFORM_BOOT = 1, /* uint */
    RW_WAVEFORM_BURST = 2, /* uint */
    RW_WAVEFORM_FIRST = 3, /* uint */
    RW_WAVEFORM_TOTAL = 4, /* uint */
    RW_WAVEFORM_UPTIME_MS = 5, /* uint */
    RW_WAVEFORM_TIME_MS = 6, /* uint, optional */
    RW_WAVEFORM_RATE_HZ = 7, /* float */
    RW_WAVEFORM_UNIT = 8, /* uint */
    RW_WAVEFORM_SCALE = 9, /* float */
    RW_WAVEFORM_SHAFT_HZ = 10, /* float, optional */
    RW_WAVEFORM_SAMPLES = 11, /* bytes */
};

enum rw_key_of_request_waveform {
    RW_REQUEST_WAVEFORM_SAMPLES = 1, /* uint */
};

enum rw_key_of_update_begin {
    RW_UPDATE_BEGIN_SIZE = 1, /* uint */
    RW_UPDATE_BEGIN_IMAGE = 2, /* bytes */
};

enum rw_key_of_update_chunk {
    RW_UPDATE_CHUNK_OFFSET = 1, /* uint */
    RW_UPDATE_CHUNK_DATA = 2, /* bytes */
};

enum rw_key_of_update_confirm {
    RW_UPDATE_CONFIRM_VERSION = 1, /* uint */
};

enum rw_key_of_update_status {
    RW_UPDATE_STATUS_SLOT = 1, /* uint */
    RW_UPDATE_STATUS_IMAGE = 2, /* bytes */
    RW_UPDATE_STATUS_OFFSET = 3, /* uint */
    RW_UPDATE_STATUS_SIZE = 4, /* uint */
    RW_UPDATE_STATUS_REASON = 5, /* uint */
    RW_UPDATE_STATUS_VERSION = 6, /* uint */
    RW_UPDATE_STATUS_CANDIDATE = 7, /* uint */
};

enum rw_key_of_configure {
    RW_CONFIGURE_PERIOD_MS = 1, /* uint, optional */
    RW_CONFIGURE_SHAFT_HZ = 2, /* float, optional */
    RW_CONFIGURE_RELEARN = 3, /* bool, optional */
    RW_CONFIGURE_THRESHOLD = 4, /* float, optional */
    RW_CONFIGURE_RESET = 5, /* bool, optional */
};

enum rw_key_of_log {
    RW_LOG_UPTIME_MS = 1, /* uint */
    RW_LOG_LEVEL = 2, /* uint */
    RW_LOG_TEXT = 3, /* text */
};

enum rw_code_of_reset {
    RW_CODE_RESET_POWER = 0,
    RW_CODE_RESET_PIN = 1,
    RW_CODE_RESET_WATCHDOG = 2,
    RW_CODE_RESET_REQUESTED = 3,
    RW_CODE_RESET_FAULT = 4,
    RW_CODE_RESET_BROWN_OUT = 5,
};

enum rw_code_of_unit {
    RW_CODE_UNIT_G = 0,
    RW_CODE_UNIT_M_S2 = 1,
    RW_CODE_UNIT_MM_S = 2,
};

enum rw_code_of_state {
    RW_CODE_STATE_COMMISSIONING = 0,
    RW_CODE_STATE_WATCHING = 1,
    RW_CODE_STATE_ALARM = 2,
    RW_CODE_STATE_FAULT = 3,
};

enum rw_code_of_diagnosis {
    RW_CODE_DIAGNOSIS_NORMAL = 0,
    RW_CODE_DIAGNOSIS_INNER = 1,
    RW_CODE_DIAGNOSIS_OUTER = 2,
    RW_CODE_DIAGNOSIS_BALL = 3,
    RW_CODE_DIAGNOSIS_OTHER = 4,
};

enum rw_code_of_slot {
    RW_CODE_SLOT_EMPTY = 0,
    RW_CODE_SLOT_RECEIVING = 1,
    RW_CODE_SLOT_STAGED = 2,
    RW_CODE_SLOT_TRIAL = 3,
    RW_CODE_SLOT_CONFIRMED = 4,
};

enum rw_code_of_level {
    RW_CODE_LEVEL_DEBUG = 0,
    RW_CODE_LEVEL_INFO = 1,
    RW_CODE_LEVEL_WARNING = 2,
    RW_CODE_LEVEL_ERROR = 3,
};

#endif
