/* The board that the hardware drivers of the corpus drive: haltex' sample NIC (src/devices/nic.ts). */
#pragma once
#include <ndis.h>

#define BOARD_REGISTERS 0x1000
#define BOARD_PORTS 32

enum {
    CTRL = 0x00, STATUS = 0x04, ICR = 0x08, IMS = 0x0C, IMC = 0x10,
    RXLO = 0x20, RXHI = 0x24, RXCOUNT = 0x28, RXHEAD = 0x2C, RXTAIL = 0x30,
    TXLO = 0x40, TXHI = 0x44, TXCOUNT = 0x48, TXHEAD = 0x4C, TXTAIL = 0x50,
    MACLO = 0x60, MACHI = 0x64, SPEED = 0x70
};

#define CTRL_RESET 1UL
#define CTRL_RX 2UL
#define CTRL_TX 4UL
#define CTRL_TICK 8UL
#define STATUS_LINK 1UL
#define STATUS_BUSY 6UL /* receive or transmit DMA goes on */
#define STATUS_RESETTING 8UL
#define CAUSE_RX 1UL
#define CAUSE_TX 2UL
#define CAUSE_LINK 4UL
#define CAUSE_TICK 8UL
#define CAUSE_ALL 15UL
#define GONE 0xFFFFFFFFUL

enum { PORT_EEPROM_INDEX = 0, PORT_EEPROM_DATA = 4, PORT_LED = 8, PORT_WAKE = 12 };

#define DESC_DONE 1UL
#define DESC_EOP 2UL
typedef struct _DESC {
    ULONG64 Buffer;
    ULONG Length;
    ULONG Status;
} DESC, *PDESC;

FORCEINLINE ULONG BoardRead(PUCHAR Base, ULONG Register)
{
    return READ_REGISTER_ULONG((volatile ULONG *)(Base + Register));
}

FORCEINLINE VOID BoardWrite(PUCHAR Base, ULONG Register, ULONG Value)
{
    WRITE_REGISTER_ULONG((volatile ULONG *)(Base + Register), Value);
}

/* FALSE: no such board, or it does not come out of reset. PASSIVE_LEVEL */
FORCEINLINE BOOLEAN BoardReset(PUCHAR Base)
{
    ULONG Tries;

    BoardWrite(Base, CTRL, CTRL_RESET);
    for (Tries = 0; Tries < 100; Tries++) {
        ULONG Status = BoardRead(Base, STATUS);

        if (Status == GONE) {
            return FALSE;
        }
        if ((Status & STATUS_RESETTING) == 0) {
            return TRUE;
        }
        NdisMSleep(50);
    }
    return FALSE;
}

/* No interrupts, no DMA, no tick. Any IRQL. */
FORCEINLINE VOID BoardStop(PUCHAR Base)
{
    ULONG Tries;

    BoardWrite(Base, IMC, CAUSE_ALL);
    BoardWrite(Base, CTRL, 0);
    for (Tries = 0; Tries < 100; Tries++) {
        ULONG Status = BoardRead(Base, STATUS);

        if (Status == GONE || (Status & STATUS_BUSY) == 0) {
            (void)BoardRead(Base, ICR);
            return;
        }
        KeStallExecutionProcessor(20);
    }
    /* It does not end by itself: a reset ends everything. */
    BoardWrite(Base, CTRL, CTRL_RESET);
}

/* In the ISR: the causes that are enabled, all of them masked; 0: the interrupt is not the board's. */
FORCEINLINE ULONG BoardClaim(PUCHAR Base)
{
    ULONG Mask = BoardRead(Base, IMS);
    ULONG Cause = BoardRead(Base, ICR);

    if (Mask == GONE || Cause == GONE || (Cause & Mask) == 0) {
        return 0;
    }
    BoardWrite(Base, IMC, CAUSE_ALL);
    return Cause & Mask;
}

/* What the bus gave the board. FALSE: something is missing. */
typedef struct _BOARD {
    PHYSICAL_ADDRESS Registers;
    ULONG FirstPort;
} BOARD, *PBOARD;

FORCEINLINE BOOLEAN BoardFind(PNDIS_RESOURCE_LIST Resources, PBOARD Board)
{
    BOOLEAN Memory = FALSE, Ports = FALSE;
    ULONG i;

    for (i = 0; Resources != NULL && i < Resources->Count; i++) {
        PCM_PARTIAL_RESOURCE_DESCRIPTOR Item = &Resources->PartialDescriptors[i];

        if (Item->Type == CmResourceTypeMemory && Item->u.Memory.Length >= BOARD_REGISTERS) {
            Board->Registers = Item->u.Memory.Start;
            Memory = TRUE;
        } else if (Item->Type == CmResourceTypePort && Item->u.Port.Length >= BOARD_PORTS) {
            Board->FirstPort = Item->u.Port.Start.LowPart;
            Ports = TRUE;
        }
    }
    return (BOOLEAN)(Memory && Ports);
}

/* The line's disable and enable handlers, which NDIS wants of whoever may be granted the line. */
#define BOARD_LINE_SWITCH(name, type, bar)                                                                             \
    static VOID name##Disable(NDIS_HANDLE Context)                                                                     \
    {                                                                                                                  \
        BoardWrite(((type *)Context)->bar, IMC, CAUSE_ALL);                                                            \
    }                                                                                                                  \
    static VOID name##Enable(NDIS_HANDLE Context)                                                                      \
    {                                                                                                                  \
        BoardWrite(((type *)Context)->bar, IMS, CAUSE_RX | CAUSE_TX | CAUSE_LINK);                                     \
    }
