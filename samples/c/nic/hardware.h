/*
 * The model NIC: PCI vendor 0x4858, device 0x0001.
 *
 * BAR0: registers, 4 KiB of memory space, 32 bits each
 *
 *   0x00 CTRL        bit 0 RESET (clears itself), 1 RX_ENABLE, 2 TX_ENABLE,
 *                    3 TICK_ENABLE (a periodic hardware tick that interrupts)
 *   0x04 STATUS  ro  bit 0 LINK_UP, 1 RX_ACTIVE, 2 TX_ACTIVE, 3 RESETTING
 *                    After an ENABLE bit is cleared its ACTIVE bit drops a few reads later; only then has DMA stopped.
 *   0x08 ICR         bit 0 RX, 1 TX, 2 LINK, 3 TICK; reading clears
 *   0x0C IMS         write ones: enable those causes; read: the mask in force
 *   0x10 IMC         write ones: disable those causes
 *   0x20 RX_BASE_LO  0x24 RX_BASE_HI  0x28 RX_COUNT (descriptors)  0x2C RX_HEAD ro  0x30 RX_TAIL
 *   0x40 TX_BASE_LO  0x44 TX_BASE_HI  0x48 TX_COUNT (descriptors)  0x4C TX_HEAD ro  0x50 TX_TAIL
 *   0x60 MAC_LO      0x64 MAC_HI
 *   0x70 LINK_SPEED  ro, Mbps
 *
 *   All registers read 0xFFFFFFFF when the device is gone.
 *
 * Descriptor, 16 bytes; the device owns [HEAD, TAIL)
 *
 *   +0  u64 buffer  physical address
 *   +8  u32 length  receive: capacity in, received length out
 *   +12 u32 status  bit 0 DONE (the device writes it), bit 1 END_OF_PACKET; the driver clears it before handing over
 *
 * BAR1: 32 I/O ports
 *
 *   +0x0 u16     EEPROM word index
 *   +0x4 u16 ro  EEPROM data word: words 0-2 are the MAC address, word 3 makes words 0..3 sum to 0xBABA
 *   +0x8 u8      LED control
 *   +0xC u8      wake-up arm: 1 = armed; must be written 0 when the driver is done with the hardware
 *
 * Interrupts: one line, or two messages: 0 = receive and transmit, 1 = link.
 */
#pragma once
#include <ndis.h>

#define NIC_REGISTERS_LENGTH 0x1000
#define NIC_PORTS_COUNT 32

#define NIC_CTRL 0x00
#define NIC_STATUS 0x04
#define NIC_ICR 0x08
#define NIC_IMS 0x0C
#define NIC_IMC 0x10
#define NIC_RX_BASE_LO 0x20
#define NIC_RX_BASE_HI 0x24
#define NIC_RX_COUNT 0x28
#define NIC_RX_HEAD 0x2C
#define NIC_RX_TAIL 0x30
#define NIC_TX_BASE_LO 0x40
#define NIC_TX_BASE_HI 0x44
#define NIC_TX_COUNT 0x48
#define NIC_TX_HEAD 0x4C
#define NIC_TX_TAIL 0x50
#define NIC_MAC_LO 0x60
#define NIC_MAC_HI 0x64
#define NIC_LINK_SPEED 0x70

#define NIC_CTRL_RESET 0x1UL
#define NIC_CTRL_RX_ENABLE 0x2UL
#define NIC_CTRL_TX_ENABLE 0x4UL
#define NIC_CTRL_TICK_ENABLE 0x8UL

#define NIC_STATUS_LINK_UP 0x1UL
#define NIC_STATUS_RX_ACTIVE 0x2UL
#define NIC_STATUS_TX_ACTIVE 0x4UL
#define NIC_STATUS_RESETTING 0x8UL

#define NIC_CAUSE_RX 0x1UL
#define NIC_CAUSE_TX 0x2UL
#define NIC_CAUSE_LINK 0x4UL
#define NIC_CAUSE_TICK 0x8UL
#define NIC_CAUSE_ALL 0xFUL

/* What every register reads as when nobody answers on the bus. */
#define NIC_GONE 0xFFFFFFFFUL

#define NIC_PORT_EEPROM_INDEX 0x0
#define NIC_PORT_EEPROM_DATA 0x4
#define NIC_PORT_LED 0x8
#define NIC_PORT_WAKE 0xC

#define NIC_EEPROM_SUM 0xBABA
#define NIC_LED_LINK 0x1
#define NIC_LED_ON 0x2

#define NIC_DESCRIPTOR_DONE 0x1UL
#define NIC_DESCRIPTOR_END 0x2UL

typedef struct _NIC_DESCRIPTOR {
    ULONG64 Buffer;
    ULONG Length;
    ULONG Status;
} NIC_DESCRIPTOR;
