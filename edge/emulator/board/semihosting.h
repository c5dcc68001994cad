/* Calls from the emulated processor to the host: files, text and the exit status.
 *
 * Source: Arm, Semihosting for AArch32 and AArch64, release 2.0: operation in r0, parameter block in r1, BKPT 0xAB.
 */
#ifndef RW_SEMIHOSTING_H
#define RW_SEMIHOSTING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Opens a file of the host for writing, in the emulator's working folder; returns its handle, or -1. */
int32_t rw_semihosting_open(const char *name);

/* Writes n bytes; false if the host took fewer. */
bool rw_semihosting_write(int32_t file, const void *data, size_t n);

/* Text and a hexadecimal word to the emulator's standard error. */
void rw_semihosting_print(const char *text);
void rw_semihosting_print_word(uint32_t word);

/* Opens a file for reading and writing, and makes it where there is none; returns its handle, or -1. */
int32_t rw_semihosting_open_kept(const char *name);

/* Moves to a byte of the file. */
bool rw_semihosting_seek(int32_t file, uint32_t at);

/* Reads n bytes; returns how many there were. */
size_t rw_semihosting_read(int32_t file, void *data, size_t n);

/* The emulator's arguments for the program, as one text that ends with 0; false if it does not fit n bytes. */
bool rw_semihosting_arguments(char *text, size_t n);

/* Ends the emulator with this exit status. */
_Noreturn void rw_semihosting_exit(uint32_t status);

#endif
