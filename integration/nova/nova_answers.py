#!/usr/bin/python3
"""Nova itself as the second opinion on requests, fits and the account of a host.

Lines of JSON on stdin and stdout, in the words of the vector files in test/vectors/nova-numa. A question has one of:

- {"constraints": {flavor, image}}: {"out": null or the guest's cells and policies}, or {"err": exception class}, with
  `image:` before it where the properties of the image could not be decoded.
- {"fit": {host, flavor, image, limits, pack}}:
    nova    what numa_fit_instance_to_host answers, with nothing changed in it
    ord     the host cells in the order in which it tries them, null where it gives up before
    m       each guest cell on each host cell by Nova's own function for a pair, on copies that nobody has used: the page
            size chosen, 0 where none was asked for, null where refused, `!X` where it raises X
    pure    the first of Nova's permutations of which each pair is accepted by `m`: threads of a core in ascending order
    native  the same with the threads in the order of Python's sets, where that is another one
- {"usage": {host, flavor, image, placement, free}}: {"after": usage of each host cell}, or {"err": exception class}.
- {"version": null}: {"version": Nova's}.

Exits with 3 where Nova is not installed.
"""
import itertools
import json
import logging
import sys
import warnings

warnings.simplefilter("ignore")
try:
    import nova.conf
    from nova import exception
    from nova import objects
    from nova import version
    from nova.virt import hardware
except ImportError as error:
    sys.stderr.write("%s\n" % error)
    sys.exit(3)

CONF = nova.conf.CONF
# The classes have their names only after this.
objects.register_all()


class ObservedItertools:
    """What Nova's module knows as itertools: the same, and the cells that are permuted are noted on the way."""

    chain = itertools.chain
    seen = None

    @staticmethod
    def permutations(cells, length):
        ObservedItertools.seen = [cell.id for cell in cells]
        return itertools.permutations(cells, length)


class AscendingThreads(set):
    """Python walks a set of numbers in an order that depends on how many there are."""

    def __iter__(self):
        return iter(sorted(set(self)))


class AscendingCell(objects.NUMACell):
    """A host cell that offers the threads of each core in ascending order."""

    @property
    def free_siblings(self):
        return [AscendingThreads(core) for core in super().free_siblings]


def cpus(text):
    return hardware.parse_cpu_spec(text) if text else set()


def text_of(cpu_set):
    return hardware.format_cpu_spec(cpu_set) if cpu_set else ""


def host_cell(cell, kind=objects.NUMACell):
    return kind(
        id=cell["id"], cpuset=cpus(cell["cpuset"]), pcpuset=cpus(cell["pcpuset"]), pinned_cpus=cpus(cell["pinned"]),
        siblings=[cpus(core) for core in cell["sib"].split(";") if core],
        memory=cell["mem"], memory_usage=cell["memUsed"], cpu_usage=cell["cpuUsed"], socket=None,
        mempages=[objects.NUMAPagesTopology(size_kb=size, total=total, used=used, reserved=reserved)
                  for size, total, used, reserved in cell["pages"]],
        network_metadata=objects.NetworkMetadata(physnets=set(), tunneled=False))


def host_topology(cells):
    return objects.NUMATopology(cells=[host_cell(cell) for cell in cells])


def guest_topology(question):
    flavor = question["flavor"]
    try:
        image = objects.ImageMeta.from_dict({"properties": question.get("image") or {}})
    except Exception as error:
        return None, "image:" + type(error).__name__
    try:
        return hardware.numa_get_constraints(
            objects.Flavor(vcpus=flavor["vcpus"], memory_mb=flavor["ram"], extra_specs=flavor["es"],
                           root_gb=1, ephemeral_gb=0, swap=0), image), None
    except Exception as error:
        return None, type(error).__name__


def guest_cell(cell):
    """A cell as the request had it: the search writes into the one it is given."""
    return objects.InstanceNUMACell(
        id=cell.id, cpuset=set(cell.cpuset), pcpuset=set(cell.pcpuset), memory=cell.memory, pagesize=cell.pagesize,
        cpu_policy=cell.cpu_policy, cpu_thread_policy=cell.cpu_thread_policy)


def constraints(question):
    topology, error = guest_topology(question)
    if error is not None:
        return {"err": error}
    if topology is None:
        return {"out": None}
    first = topology.cells[0]
    return {"out": {
        "cells": [{"id": cell.id, "vcpus": text_of(cell.cpuset), "pcpus": text_of(cell.pcpuset), "mem": cell.memory,
                   "ps": cell.pagesize} for cell in topology.cells],
        "policy": first.cpu_policy, "thread": first.cpu_thread_policy, "emu": topology.emulator_threads_policy}}


def placement(cells):
    pins = [sorted((cell.cpu_pinning or {}).items()) for cell in cells]
    reserved = [sorted(cell.cpuset_reserved or ()) for cell in cells]
    # A size of 0 asks for none.
    answer = {"h": [cell.id for cell in cells], "ps": [cell.pagesize or None for cell in cells]}
    if any(pins):
        answer["pin"] = pins
    if any(reserved):
        answer["res"] = reserved
    return answer


def judge(host, guest, limits, reserve, kind):
    try:
        return hardware._numa_fit_instance_cell(host_cell(host, kind), guest_cell(guest), limits, reserve)
    except exception.MemoryPageSizeNotSupported:
        return None
    except Exception as error:
        return "!" + type(error).__name__


def first_permutation(order, rows):
    for places in itertools.permutations(order, len(rows)):
        pairs = [row[place] for row, place in zip(rows, places)]
        if all(isinstance(pair, objects.InstanceNUMACell) for pair in pairs):
            return placement(pairs)
    return None


def limits_of(limits):
    if limits is None:
        return None
    return objects.NUMATopologyLimits(cpu_allocation_ratio=limits[0], ram_allocation_ratio=limits[1])


def fit(question):
    CONF.set_override("packing_host_numa_cells_allocation_strategy", question["pack"], "compute")
    topology, error = guest_topology(question)
    if topology is None:
        return {"err": error}
    guests = [guest_cell(cell) for cell in topology.cells]
    isolated = topology.emulator_threads_isolated
    limits = limits_of(question["limits"])

    ObservedItertools.seen = None
    try:
        fitted = hardware.numa_fit_instance_to_host(host_topology(question["host"]), topology, limits=limits)
        nova_answer = placement(fitted.cells) if fitted is not None else None
    except Exception as error:
        nova_answer = {"err": type(error).__name__}
    order = ObservedItertools.seen

    def judged(kind):
        return [[judge(host, guest, limits, 1 if isolated and at == 0 else 0, kind) for host in question["host"]]
                for at, guest in enumerate(guests)]

    places = {cell["id"]: at for at, cell in enumerate(question["host"])}
    in_order = [places[cell] for cell in order or ()]
    rows = judged(AscendingCell)
    answer = {
        "ord": order, "nova": nova_answer, "pure": first_permutation(in_order, rows),
        "m": [[(pair.pagesize or 0) if isinstance(pair, objects.InstanceNUMACell) else pair for pair in row]
              for row in rows]}
    if answer["pure"] is not None and "pin" in answer["pure"]:
        native = first_permutation(in_order, judged(objects.NUMACell))
        if native != answer["pure"]:
            answer["native"] = native
    return answer


def usage(question):
    topology, _error = guest_topology(question)
    placed = question["placement"]
    for at, cell in enumerate(topology.cells):
        cell.id = placed["h"][at]
        cell.pagesize = placed["ps"][at]
        cell.cpu_pinning = dict(placed["pin"][at]) if "pin" in placed else None
        cell.cpuset_reserved = set(placed["res"][at]) if "res" in placed else None
    try:
        host = hardware.numa_usage_from_instance_numa(
            host_topology(question["host"]), topology, free=question["free"])
    except Exception as error:
        return {"err": type(error).__name__}
    return {"after": [[cell.memory_usage, cell.cpu_usage, text_of(cell.pinned_cpus),
                       [pool.used for pool in cell.mempages]] for cell in host.cells]}


def versions(_question):
    return {"version": version.version_string()}


ANSWERS = {"constraints": constraints, "fit": fit, "usage": usage, "version": versions}


def main():
    # It logs each pair it looks at, and warns of what it is asked on purpose.
    logging.disable(logging.CRITICAL)
    hardware.itertools = ObservedItertools
    for line in sys.stdin:
        (kind, question), = json.loads(line).items()
        print(json.dumps(ANSWERS[kind](question)), flush=True)


main()
