"""An oslo.messaging RPC server that ends with its stdin: server.py URL EXCHANGE TOPIC SERVER

Out: {"event": "ready"}, then {"event": "cast", "value": ..} for each cast of `note`.
"""
import json
import sys
import threading
import time

from oslo_config import cfg
import oslo_messaging

url, exchange, topic, server = sys.argv[1:]
lock = threading.Lock()


def say(event):
    with lock:
        print(json.dumps(event), flush=True)


class NoPages(Exception):
    def __init__(self, message, **kwargs):
        super().__init__(message)
        self.kwargs = kwargs


class Endpoint:
    target = oslo_messaging.Target(version="1.3")

    def echo(self, context, value):
        return {"value": value, "user": context.get("user_id")}

    def sleep(self, context, seconds):
        time.sleep(seconds)
        return seconds

    def fail(self, context):
        raise NoPages("no hugepages", node=1)

    def odd(self, context):
        return [float("nan"), float("inf"), -float("inf"), 2**70, "NaN"]

    def note(self, context, value):
        say({"event": "cast", "value": value})


class Admin:
    target = oslo_messaging.Target(namespace="admin", version="2.0")

    def ping(self, context):
        return "pong"


conf = cfg.CONF
conf([], project="conformance")
rpc_server = oslo_messaging.get_rpc_server(
    oslo_messaging.get_rpc_transport(conf, url=url),
    oslo_messaging.Target(exchange=exchange, topic=topic, server=server),
    [Endpoint(), Admin()],
    executor="threading",
)
rpc_server.start()
say({"event": "ready"})
sys.stdin.read()
rpc_server.stop()
rpc_server.wait()
