"""Other people's clients, each driven as its own examples drive it. Prints JSON lines of what they read.

``serial_peer_clients.py CLIENT WHERE SECONDS``; runs as a process of its own, as some leave threads behind.
"""

from __future__ import annotations

import json
import queue
import sys
import time


def say(**found: object) -> None:
    print(json.dumps(found), flush=True)


def pyimpinj(where: str, seconds: float) -> None:
    from pyImpinj import ImpinjR2KReader
    from pyImpinj.enums import ImpinjR2KFastSwitchInventory as Antenna

    tags: queue.Queue[dict[str, object]] = queue.Queue(4096)
    reader = ImpinjR2KReader(tags, address=1)
    reader.connect(where)
    reader.worker_start()
    say(
        power=reader.fast_power(25),
        antenna=reader.set_work_antenna(0),
        temperature=reader.temperature(),
        output=reader.do(3, True),
        input=reader.di(1),
        identifier=reader.identifier().decode("ascii", "replace"),
        loss=reader.get_rf_port_return_loss(),
    )
    switch = {"A": Antenna.ANTENNA1, "B": Antenna.ANTENNA2, "Interval": 0, "Repeat": 1}
    switch.update(Aloop=1, Bloop=1, C=Antenna.DISABLED, Cloop=1, D=Antenna.DISABLED, Dloop=1)
    rounds = 0
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if rounds % 2:
            reader.rt_inventory(repeat=1)
        else:
            reader.fast_switch_ant_inventory(param=switch)
        rounds += 1
        while True:
            try:
                found = tags.get(timeout=1.0)
            except queue.Empty:
                say(type="TIMEOUT")
                break
            say(**found)
            if found["type"] in ("DONE", "ERROR"):
                break
    say(buffered=reader.inventory(repeat=1), counted=reader.get_inventory_buffer_tag_count())
    reader.worker_close()


def chafon(where: str, seconds: float) -> None:
    from chafon_rfid.base import CommandRunner, ReaderCommand, ReaderInfoFrame
    from chafon_rfid.command import CF_GET_READER_INFO
    from chafon_rfid.transport_serial import SerialTransport
    from chafon_rfid.uhfreader288m import G2InventoryCommand, G2InventoryResponseFrame

    transport = SerialTransport(where, 57600, timeout=3)
    info = ReaderInfoFrame(CommandRunner(transport).run(ReaderCommand(CF_GET_READER_INFO)))
    say(type=info.type.name, power=info.power, band=info.frequency_band.name)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        transport.write(G2InventoryCommand(q_value=4, antenna=0x80, scan_time=2).serialize())
        while True:
            frame = G2InventoryResponseFrame(transport.read_frame())
            for tag in frame.get_tag():
                say(epc=bytes(tag.epc).hex().upper(), antenna=tag.antenna_num, rssi=tag.rssi)
            if frame.result_status != 3:
                break


def uhfreader18(where: str, seconds: float) -> None:
    import socket

    from uhfreader18 import Command, RfidClient, StreamBuffer

    host, port = where.rsplit(":", 1)
    with RfidClient(host, int(port)) as client:
        info = client.get_reader_info()
        say(type=info.reader_type.name if hasattr(info, "reader_type") else str(info))
    stream = StreamBuffer()
    with socket.create_connection((host, int(port)), 3) as plug:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            parsed = stream.feed(plug.recv(4096))
            for frame in parsed.frames:
                if frame.command == Command.TAG_REPORT:
                    say(epc=frame.data.hex().upper())
            for error in parsed.errors:
                say(error=error)


CLIENTS = {"pyimpinj": pyimpinj, "chafon": chafon, "uhfreader18": uhfreader18}

if __name__ == "__main__":
    CLIENTS[sys.argv[1]](sys.argv[2], float(sys.argv[3]))
