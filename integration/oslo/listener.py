"""An oslo.messaging notification listener that ends with its stdin: listener.py URL EXCHANGE TOPIC [POOL]

Out: {"event": "ready"}, then one {"event": "info"|"error", ..} for each notification.
"""
import json
import sys
import threading

from oslo_config import cfg
import oslo_messaging

url, exchange, topic, *pool = sys.argv[1:]
lock = threading.Lock()


def say(event):
    with lock:
        print(json.dumps(event), flush=True)


def report(priority):
    def notified(self, context, publisher_id, event_type, payload, metadata):
        say({
            "event": priority,
            "context": context,
            "publisher_id": publisher_id,
            "event_type": event_type,
            "payload": payload,
            "metadata": metadata,
        })

    return notified


class Endpoint:
    info = report("info")
    error = report("error")


conf = cfg.CONF
conf([], project="conformance")
listener = oslo_messaging.get_notification_listener(
    oslo_messaging.get_notification_transport(conf, url=url),
    [oslo_messaging.Target(exchange=exchange, topic=topic)],
    [Endpoint()],
    executor="threading",
    pool=pool[0] if pool else None,
)
listener.start()
say({"event": "ready"})
sys.stdin.read()
listener.stop()
listener.wait()
