#!/usr/bin/python3
"""Nova's own numa_fit_instance_to_host, timed on demand: `nova_fit.py CASES_FILE`.

Prints `ready VERSION` once Nova is loaded, or exits with 3 where it is not installed. Then each line `PLACE SECONDS` on
stdin is answered by one JSON line: calls, their processor time in microseconds, and whether the guest fits. Host and
instance objects are fresh for each call, because the search changes them, and are made outside of what is timed.
"""
import json
import sys
import time
import warnings

warnings.simplefilter('ignore')
try:
    from nova import objects
    from nova import version
    from nova.virt import hardware
except ImportError as error:
    sys.stderr.write('%s\n' % error)
    sys.exit(3)


def cpus(text):
    return hardware.parse_cpu_spec(text) if text else set()


def host_topology(cells):
    return objects.NUMATopology(cells=[objects.NUMACell(
        id=cell['id'], cpuset=cpus(cell['cpuset']), pcpuset=cpus(cell['pcpuset']), pinned_cpus=cpus(cell['pinned']),
        siblings=[cpus(core) for core in cell['sib'].split(';') if core],
        memory=cell['mem'], memory_usage=cell['memUsed'], cpu_usage=cell['cpuUsed'],
        mempages=[objects.NUMAPagesTopology(size_kb=size, total=total, used=used, reserved=reserved)
                  for size, total, used, reserved in cell['pages']],
        network_metadata=objects.NetworkMetadata(physnets=set(), tunneled=False)) for cell in cells])


def instance_topology(flavor):
    return hardware.numa_get_constraints(
        objects.Flavor(vcpus=flavor['vcpus'], memory_mb=flavor['ram'], extra_specs=flavor['es'],
                       root_gb=1, ephemeral_gb=0, swap=0),
        objects.ImageMeta.from_dict({'properties': {}}))


def run(case, seconds):
    topology = instance_topology(case['flavor'])
    cpu_ratio, ram_ratio = case['limits']
    limits = objects.NUMATopologyLimits(cpu_allocation_ratio=cpu_ratio, ram_allocation_ratio=ram_ratio)
    calls = spent = 0
    fits = None
    end = time.monotonic() + seconds
    while time.monotonic() < end or calls < 3:
        host = host_topology(case['host'])
        guest = topology.obj_clone()
        began = time.thread_time_ns()
        fits = hardware.numa_fit_instance_to_host(host, guest, limits=limits) is not None
        spent += time.thread_time_ns() - began
        calls += 1
    return {'calls': calls, 'cpuUs': spent / 1000.0, 'fits': fits}


def main():
    objects.register_all()
    with open(sys.argv[1]) as file:
        cases = json.load(file)
    print('ready %s' % version.version_string(), flush=True)
    for line in sys.stdin:
        place, seconds = line.split()
        print(json.dumps(run(cases[int(place)], float(seconds))), flush=True)


main()
