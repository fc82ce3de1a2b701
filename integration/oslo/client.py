"""An oslo.messaging RPC client driven by JSON lines: client.py URL EXCHANGE

In:  {"id": 1, "op": "call"|"cast"|"fanout", "topic": .., "method": .., "args": {}, "server"?: .., "version"?: ..,
      "namespace"?: .., "timeout"?: s, "monitor"?: s, "context"?: {}}
     "python": {"name": "2**64"} are more arguments, as Python's expressions; "equals": "2**64" compares the result here.
Out: {"id": 1, "result": ..} or {"id": 1, "error": {"type": .., "exc_type": .., "message": ..}}
"""
import json
import sys
import threading

from oslo_config import cfg
import oslo_messaging

url, exchange = sys.argv[1:]
conf = cfg.CONF
conf([], project="conformance")
# Exceptions of the builtins module are rebuilt always; all others arrive as RemoteError.
transport = oslo_messaging.get_rpc_transport(conf, url=url)
lock = threading.Lock()


def say(answer):
    with lock:
        print(json.dumps(answer), flush=True)


def run(order):
    target = oslo_messaging.Target(
        exchange=exchange,
        topic=order["topic"],
        server=order.get("server"),
        version=order.get("version"),
        namespace=order.get("namespace"),
        fanout=order["op"] == "fanout",
    )
    client = oslo_messaging.get_rpc_client(
        transport, target, timeout=order.get("timeout", 10), call_monitor_timeout=order.get("monitor")
    )
    send = client.call if order["op"] == "call" else client.cast
    try:
        args = order.get("args", {}) | {key: eval(text) for key, text in order.get("python", {}).items()}
        result = send(order.get("context", {}), order["method"], **args)
        if "equals" in order:
            result = repr(result) == repr(eval(order["equals"]))
        say({"id": order["id"], "result": result})
    except Exception as error:
        say({"id": order["id"], "error": {
            "type": type(error).__name__,
            "exc_type": getattr(error, "exc_type", None),
            "message": str(getattr(error, "value", None) or error),
        }})


for line in sys.stdin:
    threading.Thread(target=run, args=(json.loads(line),), daemon=True).start()

transport.cleanup()
