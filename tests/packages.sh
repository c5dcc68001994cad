#!/bin/sh
# The service tests run a real Mosquitto, PostgreSQL and Chromium, those of nodes an Arm compiler and an emulator; as root they
# are installed, else named.
set -eu
missing=""
for pair in mosquitto:mosquitto chromium:chromium chromedriver:chromium-driver gcc:gcc g++:g++ cmake:cmake \
    arm-none-eabi-gcc:gcc-arm-none-eabi qemu-system-arm:qemu-system-arm pg_createcluster:postgresql; do
    PATH="$PATH:/usr/sbin:/usr/local/sbin" command -v "${pair%%:*}" >/dev/null 2>&1 || missing="$missing ${pair##*:}"
done
# Headers and the C library for Arm come in a package of their own, without a command.
case "$(arm-none-eabi-gcc -print-file-name=libc_nano.a 2>/dev/null || true)" in
    */*) ;;
    *) missing="$missing libnewlib-arm-none-eabi" ;;
esac
[ -n "$missing" ] || exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "Installing$missing ..."
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
else
    echo "Not installed:$missing. Tests that need them are skipped; install the Debian packages to run them."
fi
