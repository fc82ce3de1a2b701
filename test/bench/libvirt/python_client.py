"""One measured run of python3-libvirt: python_client.py OPERATION CONCURRENCY CALLS NAME. See node_client.ts."""
import json
import resource
import sys
import threading
import time

import libvirt

WARM_UP = 10_000

operation, concurrency, calls, name = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
connection = libvirt.open("qemu:///system")
domain = connection.lookupByName(name)
call = {"version": connection.getLibVersion, "info": domain.info}[operation]


def worker(count):
    for _ in range(count):
        call()


def repeat(count):
    if concurrency == 1:
        worker(count)
        return
    threads = [threading.Thread(target=worker, args=(count // concurrency,)) for _ in range(concurrency)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def cpu_seconds():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


repeat(WARM_UP)
cpu = cpu_seconds()
began = time.monotonic()
repeat(calls)
seconds = time.monotonic() - began
print(json.dumps({"perSecond": calls / seconds, "cpuUs": (cpu_seconds() - cpu) / calls * 1e6}))
