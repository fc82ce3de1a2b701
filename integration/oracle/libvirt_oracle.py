"""libvirt-python as the second opinion on what a daemon says.

Lines of JSON on stdin and stdout, one call each: {"uri", "kind", "key", "method", "args"} is answered with
{"result"} or {"error": code, "message"}. Objects travel as the plain data that node-libvirt has for them.
"""

import base64
import json
import sys

import libvirt
import libvirt_qemu

EXACT = 2**53
connections = {}


def connect(uri):
    if uri not in connections:
        connections[uri] = libvirt.open(uri)
    return connections[uri]


def find(connection, kind, key):
    if kind == "connect":
        return connection
    if kind == "domain":
        return connection.lookupByUUIDString(key["uuid"])
    if kind == "network":
        return connection.networkLookupByUUIDString(key["uuid"])
    if kind == "pool":
        return connection.storagePoolLookupByUUIDString(key["uuid"])
    if kind == "vol":
        return connection.storagePoolLookupByName(key["pool"]).storageVolLookupByName(key["name"])
    if kind == "secret":
        return connection.secretLookupByUUIDString(key["uuid"])
    if kind == "nwfilter":
        return connection.nwfilterLookupByUUIDString(key["uuid"])
    if kind == "device":
        return connection.nodeDeviceLookupByName(key["name"])
    if kind == "snapshot":
        domain = find(connection, "domain", key["domain"])
        return domain.snapshotLookupByName(key["name"])
    raise ValueError(kind)


def received(stream):
    data = bytearray()
    stream.recvAll(lambda _stream, chunk, _opaque: data.extend(chunk) or len(chunk), None)
    stream.finish()
    return bytes(data)


def screenshot(domain, screen, flags):
    stream = domain.connect().newStream()
    mime = domain.screenshot(stream, screen, flags)
    return {"mime": mime, "bytes": received(stream)}


def download(vol, offset, length, flags):
    stream = vol.connect().newStream()
    vol.download(stream, offset, length, flags)
    return received(stream)


def upload(vol, data, offset, flags):
    stream = vol.connect().newStream()
    vol.upload(stream, offset, len(data), flags)
    left = bytearray(data)

    def take(_stream, size, _opaque):
        chunk = bytes(left[:size])
        del left[:size]
        return chunk

    stream.sendAll(take, None)
    stream.finish()


def console(domain, flags):
    stream = domain.connect().newStream()
    domain.openConsole(None, stream, flags)
    stream.abort()


def constants(_connection):
    values = {name: getattr(libvirt, name) for name in dir(libvirt) if name.startswith("VIR_")}
    return {name: value for name, value in values.items() if isinstance(value, int)}


# What is no method of an object, or needs a stream.
FUNCTIONS = {
    "monitorCommand": libvirt_qemu.qemuMonitorCommand,
    "agentCommand": libvirt_qemu.qemuAgentCommand,
    "screenshot": screenshot,
    "download": download,
    "upload": upload,
    "openConsole": console,
    "constants": constants,
}


def plain(value):
    """What JSON can carry."""
    if isinstance(value, libvirt.virDomain):
        return {"name": value.name(), "uuid": value.UUIDString(), "id": value.ID()}
    if isinstance(value, (libvirt.virNetwork, libvirt.virStoragePool, libvirt.virNWFilter)):
        return {"name": value.name(), "uuid": value.UUIDString()}
    if isinstance(value, libvirt.virStorageVol):
        return {"pool": value.storagePoolLookupByVolume().name(), "name": value.name(), "key": value.key()}
    if isinstance(value, libvirt.virSecret):
        return {"uuid": value.UUIDString(), "usageType": value.usageType(), "usageID": value.usageID()}
    if isinstance(value, libvirt.virNodeDevice):
        return {"name": value.name()}
    if isinstance(value, libvirt.virDomainSnapshot):
        return {"name": value.getName(), "domain": plain(value.getDomain())}
    if isinstance(value, bytes):
        return {"$bytes": base64.b64encode(value).decode()}
    if isinstance(value, dict):
        return {str(name): plain(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= EXACT:
        return {"$int": str(value)}
    return value


def argument(connection, value):
    if isinstance(value, dict) and "$bytes" in value:
        return base64.b64decode(value["$bytes"])
    if isinstance(value, dict) and "$object" in value:
        return find(connection, value["$object"]["kind"], value["$object"]["key"])
    if isinstance(value, dict) and "$pages" in value:
        return {int(size): count for size, count in value["$pages"].items()}
    if isinstance(value, dict) and "$tuple" in value:
        return tuple(value["$tuple"])
    if isinstance(value, dict):
        return {name: argument(connection, one) for name, one in value.items()}
    if isinstance(value, list):
        return [argument(connection, one) for one in value]
    return value


def answer(request):
    connection = connect(request["uri"])
    try:
        found = find(connection, request["kind"], request["key"])
        args = [argument(connection, one) for one in request["args"]]
        method = request["method"]
        if method in FUNCTIONS:
            return {"result": plain(FUNCTIONS[method](found, *args))}
        return {"result": plain(getattr(found, method)(*args))}
    except libvirt.libvirtError as error:
        return {"error": error.get_error_code(), "message": error.get_error_message()}
    except Exception as error:
        return {"error": None, "message": repr(error)}


# libvirt prints every refusal to stderr unless somebody takes it.
libvirt.registerErrorHandler(lambda _context, _error: None, None)
for line in sys.stdin:
    sys.stdout.write(json.dumps(answer(json.loads(line))) + "\n")
    sys.stdout.flush()
