#!/usr/bin/env bash
# Builds the kernels as flat x86-64 code, position-independent. The results are kept in the repository, so that measuring the
# guest CPU needs nothing but Node. Needs clang, lld and objcopy.
set -euo pipefail
cd "$(dirname "$0")"
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
for kernel in crc32 checksum-copy-fill driver-like; do
  clang --target=x86_64-linux-gnu -O2 -ffreestanding -fno-builtin -fPIC -fno-stack-protector -mno-red-zone \
    -fno-asynchronous-unwind-tables -c "$kernel.c" -o "$out/$kernel.o"
  ld.lld --entry=0 -T kernel.ld "$out/$kernel.o" -o "$out/$kernel.elf"
  objcopy -O binary "$out/$kernel.elf" "$kernel.bin"
  chmod -x "$kernel.bin"
done
