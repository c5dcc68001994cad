/* CRC-32 of IEEE 802.3: reflected polynomial 0xEDB88320, begun and ended with all bits inverted; 0xCBF43926 of
 * "123456789". Computed by half bytes from a table of 64 bytes. */
#ifndef RW_CRC32_H
#define RW_CRC32_H

#include <stddef.h>
#include <stdint.h>

/* Goes on from the CRC of what came before; 0 begins. */
uint32_t rw_crc32(uint32_t crc, const uint8_t *data, size_t n);

#endif
