"""An oslo.messaging server for the bench: python_server.py URL EXCHANGE TOPIC EXECUTOR

Its stdin: a line `start` begins to serve, a line `report` prints what was done since then, the end of it ends the
process. `work` takes what create_instance takes, and answers as much.
"""
import json
import os
import sys
import threading

executor = sys.argv[4]
if executor == "eventlet":
    import eventlet
    eventlet.monkey_patch()

import logging
import time

from oslo_config import cfg
import oslo_messaging

url, exchange, topic = sys.argv[1:4]
logging.basicConfig(stream=open(os.devnull, "w"), level=logging.INFO)


class Endpoint:
    target = oslo_messaging.Target(version="1.0")

    def __init__(self):
        self.done = 0
        self.last = 0.0

    def work(self, context, **args):
        self.last = time.monotonic()
        self.done += 1
        return {"uuid": args["uuid"], "placement": [{"node": 0, "pages": 64}]}


def rss_mib():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS")) / 1024


conf = cfg.CONF
conf([], project="bench")
endpoint = Endpoint()
server = oslo_messaging.get_rpc_server(
    oslo_messaging.get_rpc_transport(conf, url=url),
    oslo_messaging.Target(exchange=exchange, topic=topic, server="bench"),
    [endpoint],
    executor=executor,
)
began = started = 0.0


def serve():
    global began, started
    began = time.process_time()
    started = time.monotonic()
    server.start()


def report():
    print(json.dumps({
        "done": endpoint.done,
        "spanMs": (endpoint.last - started) * 1000,
        "cpuMs": (time.process_time() - began) * 1000,
        "rssMib": rss_mib(),
    }), flush=True)


def read_orders():
    for line in sys.stdin:
        {"start": serve, "report": report}[line.strip()]()
    os._exit(0)


if executor == "eventlet":
    # Reading stdin would block the only thread there is.
    from eventlet import tpool
    while True:
        line = tpool.execute(sys.stdin.readline)
        if line == "":
            os._exit(0)
        {"start": serve, "report": report}[line.strip()]()
else:
    threading.Thread(target=read_orders).start()
