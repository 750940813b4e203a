/* The device itself: registers, EEPROM, reset, start and stop. All but the accessors run at PASSIVE_LEVEL. */
#include "nic.h"

#define NIC_POLLS 200
#define NIC_POLL_DELAY_US 100

/* Any IRQL. */
BOOLEAN NicHardwareReady(PNIC_ADAPTER Adapter)
{
    return (BOOLEAN)(Adapter->Registers != NULL && !Adapter->Removed && !Adapter->HardwareOff);
}

/* Any IRQL. */
ULONG NicRead(PNIC_ADAPTER Adapter, ULONG Register)
{
    ULONG Value;

    if (!NicHardwareReady(Adapter)) {
        return NIC_GONE;
    }
    NdisReadRegisterUlong(Adapter->Registers + Register, &Value);
    return Value;
}

/* Any IRQL. */
VOID NicWrite(PNIC_ADAPTER Adapter, ULONG Register, ULONG Value)
{
    if (NicHardwareReady(Adapter)) {
        NdisWriteRegisterUlong(Adapter->Registers + Register, Value);
    }
}

static VOID NicWritePort(PNIC_ADAPTER Adapter, ULONG Port, UCHAR Value)
{
    if (Adapter->PortsRegistered && NicHardwareReady(Adapter)) {
        NdisRawWritePortUchar((ULONG_PTR)Adapter->PortOffset + Port, Value);
    }
}

NDIS_STATUS NicReadEeprom(PNIC_ADAPTER Adapter)
{
    static const UCHAR NoAddress[NIC_ADDRESS_LENGTH];
    USHORT Words[4];
    USHORT Sum = 0;
    USHORT Index;

    for (Index = 0; Index < 4; Index++) {
        NdisRawWritePortUshort((ULONG_PTR)Adapter->PortOffset + NIC_PORT_EEPROM_INDEX, Index);
        NdisRawReadPortUshort((ULONG_PTR)Adapter->PortOffset + NIC_PORT_EEPROM_DATA, &Words[Index]);
        Sum = (USHORT)(Sum + Words[Index]);
    }
    if (Sum != NIC_EEPROM_SUM) {
        NdisWriteErrorLogEntry(Adapter->AdapterHandle, NDIS_ERROR_CODE_INVALID_VALUE_FROM_ADAPTER, 1, (ULONG)Sum);
        return NDIS_STATUS_FAILURE;
    }
    NdisMoveMemory(Adapter->PermanentAddress, Words, NIC_ADDRESS_LENGTH);
    if (NdisEqualMemory(Adapter->CurrentAddress, NoAddress, NIC_ADDRESS_LENGTH)) {
        NdisMoveMemory(Adapter->CurrentAddress, Adapter->PermanentAddress, NIC_ADDRESS_LENGTH);
    }
    return NDIS_STATUS_SUCCESS;
}

/* TRUE once none of the STATUS bits is left. Rule wait-by-busy-loop: sleeping, and not for ever. */
static BOOLEAN NicWaitStatusClear(PNIC_ADAPTER Adapter, ULONG Bits)
{
    ULONG Poll;

    for (Poll = 0; Poll < NIC_POLLS; Poll++) {
        ULONG Value = NicRead(Adapter, NIC_STATUS);

        /* Rule halt-touches-removed-hardware: all ones mean nobody is there, not "still active". */
        if (Value == NIC_GONE) {
            return FALSE;
        }
        if ((Value & Bits) == 0) {
            return TRUE;
        }
        NdisMSleep(NIC_POLL_DELAY_US);
    }
    return FALSE;
}

/* Afterwards: interrupts masked, DMA and tick off, ring heads at 0. */
NDIS_STATUS NicResetHardware(PNIC_ADAPTER Adapter)
{
    NicWrite(Adapter, NIC_IMC, NIC_CAUSE_ALL);
    NicWrite(Adapter, NIC_CTRL, NIC_CTRL_RESET);
    if (!NicWaitStatusClear(Adapter, NIC_STATUS_RESETTING) || (NicRead(Adapter, NIC_CTRL) & NIC_CTRL_RESET)) {
        NdisWriteErrorLogEntry(Adapter->AdapterHandle, NDIS_ERROR_CODE_HARDWARE_FAILURE, 1,
                               NicRead(Adapter, NIC_STATUS));
        return NDIS_STATUS_FAILURE;
    }
    return NDIS_STATUS_SUCCESS;
}

static VOID NicWriteRing(PNIC_ADAPTER Adapter, ULONG BaseLow, ULONG Count, ULONG64 PhysicalAddress, ULONG Descriptors)
{
    NicWrite(Adapter, BaseLow, (ULONG)PhysicalAddress);
    NicWrite(Adapter, BaseLow + 4, (ULONG)(PhysicalAddress >> 32));
    NicWrite(Adapter, Count, Descriptors);
}

/* After a reset: rings, address, tick, wake-up. DMA stays off until MiniportRestart. */
VOID NicProgramHardware(PNIC_ADAPTER Adapter)
{
    ULONG64 Rings = (ULONG64)Adapter->Rings.PhysicalAddress.QuadPart;
    PUCHAR Address = Adapter->CurrentAddress;

    NicWriteRing(Adapter, NIC_RX_BASE_LO, NIC_RX_COUNT, Rings, NIC_RX_DESCRIPTORS);
    NicWriteRing(Adapter, NIC_TX_BASE_LO, NIC_TX_COUNT, Rings + NIC_RX_DESCRIPTORS * sizeof(NIC_DESCRIPTOR),
                 NIC_TX_DESCRIPTORS);
    NicWrite(Adapter, NIC_TX_TAIL, 0);
    NicWrite(Adapter, NIC_MAC_LO, Address[0] | Address[1] << 8 | Address[2] << 16 | (ULONG)Address[3] << 24);
    NicWrite(Adapter, NIC_MAC_HI, Address[4] | Address[5] << 8);
    NicResetReceiveRing(Adapter);

    NicWrite(Adapter, NIC_CTRL, NIC_CTRL_TICK_ENABLE);
    NicWritePort(Adapter, NIC_PORT_WAKE, 1);
}

VOID NicStartDma(PNIC_ADAPTER Adapter)
{
    NicWrite(Adapter, NIC_CTRL, NIC_CTRL_TICK_ENABLE | NIC_CTRL_RX_ENABLE | NIC_CTRL_TX_ENABLE);
}

/* DMA has stopped when the ACTIVE bits say so, not when the ENABLE bits are cleared. */
VOID NicStopDma(PNIC_ADAPTER Adapter)
{
    NicWrite(Adapter, NIC_CTRL, NIC_CTRL_TICK_ENABLE);
    NicWaitStatusClear(Adapter, NIC_STATUS_RX_ACTIVE | NIC_STATUS_TX_ACTIVE);
}

/* Rule halt-leaves-nic-running: interrupts, DMA, tick and wake-up all off. */
VOID NicStopHardware(PNIC_ADAPTER Adapter)
{
    if (!NicHardwareReady(Adapter)) {
        return;
    }
    NicWrite(Adapter, NIC_IMC, NIC_CAUSE_ALL);
    NicWrite(Adapter, NIC_CTRL, 0);
    if (!NicWaitStatusClear(Adapter, NIC_STATUS_RX_ACTIVE | NIC_STATUS_TX_ACTIVE)) {
        NicResetHardware(Adapter);
    }
    NicWritePort(Adapter, NIC_PORT_LED, 0);
    NicWritePort(Adapter, NIC_PORT_WAKE, 0);
}

VOID NicSetLeds(PNIC_ADAPTER Adapter)
{
    NicWritePort(Adapter, NIC_PORT_LED, NIC_LED_ON | (Adapter->LinkUp ? NIC_LED_LINK : 0));
}
