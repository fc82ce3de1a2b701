"""An oslo.messaging notifier driven by JSON lines: notifier.py URL EXCHANGE TOPIC DRIVER

In:  {"id": 1, "priority": "info"|"error"|"sample", "event_type": .., "payload": .., "context"?: {}}
Out: {"id": 1}
"""
import json
import sys

from oslo_config import cfg
import oslo_messaging

url, exchange, topic, driver = sys.argv[1:]
conf = cfg.CONF
conf([], project="conformance")
# Before the transport, which keeps the name that it finds.
oslo_messaging.set_transport_defaults(exchange)
transport = oslo_messaging.get_notification_transport(conf, url=url)
notifier = oslo_messaging.Notifier(transport, publisher_id="py.host1", driver=driver, topics=[topic])

for line in sys.stdin:
    order = json.loads(line)
    send = getattr(notifier, order["priority"])
    send(order.get("context", {}), order["event_type"], order["payload"])
    print(json.dumps({"id": order["id"]}), flush=True)

transport.cleanup()
