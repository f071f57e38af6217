"""Runs a program under what a systemd unit asks for, on a machine whose first process is not systemd.

    confine.py PROGRAM CONFIG UNIT [DROP-IN…] -- ARGUMENT…

As root. The directives are read from the files themselves; one that is not known here is an error, so that whoever adds
it says what it does. CONFIG is copied to /tmp/weir.yml, which is private like the unit's.
"""

import ctypes
import os
import pwd
import re
import struct
import subprocess
import sys

LIBC = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNS, CLONE_NEWUSER = 0x00020000, 0x10000000
MS_RDONLY, MS_REMOUNT, MS_BIND, MS_REC, MS_SLAVE = 1, 32, 4096, 16384, 1 << 19
# Flags of a mount that must be given again when it is remounted.
KEPT = {"nosuid": 2, "nodev": 4, "noexec": 8, "noatime": 1024, "nodiratime": 2048, "relatime": 1 << 21}

# What the manager itself does, or what cannot be shown here: no restart, no cgroup.
ELSEWHERE = {
    "Type", "EnvironmentFile", "ExecStart", "ExecReload", "Restart", "RestartSec", "RestartPreventExitStatus",
    "RuntimeDirectory", "RemoveIPC", "DevicePolicy", "PrivateMounts", "SystemCallErrorNumber",
}
# By the system call filter that they imply; @system-service without @privileged has none of those calls.
IMPLIED = {"ProtectClock", "LockPersonality", "RestrictRealtime", "RestrictSUIDSGID", "SystemCallArchitectures"}
# Done below.
DONE = {
    "DynamicUser", "User", "CapabilityBoundingSet", "AmbientCapabilities", "NoNewPrivileges", "PrivateUsers",
    "RestrictAddressFamilies", "SystemCallFilter", "MemoryDenyWriteExecute", "RestrictNamespaces", "ProtectSystem",
    "ProtectHome", "PrivateTmp", "PrivateDevices", "ProtectControlGroups", "ProtectKernelLogs", "ProtectKernelModules",
    "ProtectKernelTunables", "ReadWritePaths", "LimitNOFILE", "LimitMEMLOCK",
}


def main():
    if sys.argv[1] == "--inside":
        return inside(sys.argv[2:])
    end = sys.argv.index("--")
    program, config, *units = sys.argv[1:end]
    asked = read(units)
    unknown = set(asked) - ELSEWHERE - IMPLIED - DONE
    if unknown:
        sys.exit(f"confine.py: {sorted(unknown)}: say here what they do")
    limits(asked)
    # Its path may be closed to the user, as it may be in the tests' own /tmp.
    file = os.open(program, os.O_RDONLY)
    os.set_inheritable(file, True)
    # The filter is worked out while everything can be read.
    allowed = numbers(last_lists(asked, "SystemCallFilter"))
    with open(config) as found, open(__file__) as script:
        config, script = found.read(), script.read()
    mounts(asked)
    for path, text in [("/tmp/weir.yml", config), ("/tmp/confine.py", script)]:
        with open(path, "w") as to:
            to.write(text)
    facts = repr({
        "file": file, "allowed": sorted(allowed), "users": on(asked, "PrivateUsers"),
        "families": [name for words in asked["RestrictAddressFamilies"] for name in words.split()],
        "namespaces": asked["RestrictNamespaces"][-1], "wx": on(asked, "MemoryDenyWriteExecute"),
    })
    os.execvp("setpriv", setpriv(asked) + ["/usr/bin/python3", "/tmp/confine.py", "--inside", facts, *sys.argv[end + 1:]])


def read(units):
    """The directives of [Service], each with all its values in order."""
    asked, section = {}, None
    for unit in units:
        for line in open(unit):
            line = line.strip()
            if line.startswith("["):
                section = line
            elif section == "[Service]" and line and line[0] not in "#;":
                name, value = line.split("=", 1)
                asked.setdefault(name, []).append(value.strip())
    return asked


def on(asked, name):
    return asked.get(name, ["no"])[-1] in ("yes", "true", "1", "on")


def last_lists(asked, name):
    """A list grows with each line, and an empty one empties it."""
    values = []
    for value in asked.get(name, []):
        values = values + [value] if value else []
    return values


def limits(asked):
    import resource
    for name, which in [("LimitNOFILE", resource.RLIMIT_NOFILE), ("LimitMEMLOCK", resource.RLIMIT_MEMLOCK)]:
        for value in asked.get(name, [])[-1:]:
            number = resource.RLIM_INFINITY if value == "infinity" else int(value)
            try:
                resource.setrlimit(which, (number, number))
            except ValueError as error:
                # In a container root may not either; the manager may.
                print(f"confine.py: {name}={value}: {error}", file=sys.stderr)


def setpriv(asked):
    if on(asked, "DynamicUser"):
        user = group = 61184
    else:
        entry = pwd.getpwnam(asked["User"][-1])
        user, group = entry.pw_uid, entry.pw_gid
    few = lambda name: [word.removeprefix("CAP_").lower() for value in last_lists(asked, name) for word in value.split()]
    bounding, ambient = few("CapabilityBoundingSet"), few("AmbientCapabilities")
    plus = lambda names: ",".join(["-all"] + [f"+{name}" for name in names])
    command = ["setpriv", f"--reuid={user}", f"--regid={group}", "--clear-groups", f"--inh-caps={plus(ambient)}",
               f"--ambient-caps={plus(ambient)}", f"--bounding-set={plus(bounding)}"]
    return command + (["--no-new-privs"] if on(asked, "NoNewPrivileges") else [])


def mounts(asked):
    check(LIBC.unshare(CLONE_NEWNS), "unshare")
    mount(None, "/", None, MS_REC | MS_SLAVE)
    for path in " ".join(asked.get("ReadWritePaths", [])).split():
        mount(path, path, None, MS_BIND)
    if asked["ProtectSystem"][-1] != "strict" or asked["ProtectHome"][-1] not in ("read-only", "yes"):
        sys.exit("confine.py: only ProtectSystem=strict and ProtectHome=read-only are known here")
    writable = " ".join(asked.get("ReadWritePaths", [])).split() + ["/proc", "/sys", "/dev"]
    for point, options in mounted():
        if not any(point == path or point.startswith(path + "/") for path in writable):
            read_only(point, options)
    if on(asked, "ProtectKernelTunables"):
        for path in ["/proc/sys", "/proc/irq", "/sys"]:
            if os.path.isdir(path):
                mount(path, path, None, MS_BIND | MS_REC)
                read_only(path, "nosuid,nodev,noexec")
    if on(asked, "ProtectControlGroups") and os.path.ismount("/sys/fs/cgroup"):
        read_only("/sys/fs/cgroup", "nosuid,nodev,noexec")
    hidden = []
    if on(asked, "ProtectKernelModules"):
        hidden += ["/usr/lib/modules"]
    if on(asked, "ProtectKernelLogs"):
        hidden += ["/proc/kmsg"]
    for path in hidden:
        if os.path.isdir(path):
            mount("none", path, "tmpfs", MS_RDONLY, "mode=0")
        elif os.path.exists(path):
            mount("/dev/null", path, None, MS_BIND)
    if on(asked, "PrivateDevices"):
        devices()
    if on(asked, "PrivateTmp"):
        for path in ["/tmp", "/var/tmp"]:
            mount("none", path, "tmpfs", 0, "mode=1777")


def devices():
    """/dev with what every program may expect, and nothing that is a device."""
    mount("none", "/mnt", "tmpfs", 0, "mode=755")
    for name in ["null", "zero", "full", "random", "urandom", "tty"]:
        open(f"/mnt/{name}", "w").close()
        mount(f"/dev/{name}", f"/mnt/{name}", None, MS_BIND)
    mount("/mnt", "/dev", None, MS_BIND | MS_REC)
    check(LIBC.umount2(b"/mnt", 2), "umount")


def mounted():
    """Mount points and options; those below others come later."""
    found = []
    for line in open("/proc/self/mountinfo"):
        fields = line.split(" ")
        point = re.sub(r"\\(\d{3})", lambda octal: chr(int(octal[1], 8)), fields[4])
        found.append((point, fields[5]))
    return found


def read_only(point, options):
    kept = sum(KEPT.get(name, 0) for name in options.split(","))
    flags = MS_BIND | MS_REMOUNT | MS_RDONLY | kept
    if LIBC.mount(None, point.encode(), None, flags, None) != 0:
        # Something else may be mounted above it, or it went away.
        print(f"confine.py: {point} stays writable: {os.strerror(ctypes.get_errno())}", file=sys.stderr)


def mount(source, target, kind, flags, data=None):
    encoded = [None if text is None else text.encode() for text in (source, target, kind, data)]
    check(LIBC.mount(encoded[0], encoded[1], encoded[2], flags, encoded[3]), f"mount {target}")


def check(status, what):
    if status != 0:
        sys.exit(f"confine.py: {what}: {os.strerror(ctypes.get_errno())}")


def numbers(lists):
    """The numbers of the calls that SystemCallFilter= leaves, from systemd's own groups and the kernel's header."""
    header = subprocess.run(["cc", "-E", "-dM", "-include", "asm/unistd.h", "-x", "c", "/dev/null"], check=True,
                            capture_output=True, text=True).stdout
    known = {name: int(number) for name, number in re.findall(r"^#define __NR_(\w+) (\d+)$", header, re.MULTILINE)}
    allowed = group("@default")
    for words in lists:
        taken = words.startswith("~")
        for word in words.lstrip("~").split():
            names = group(word) if word.startswith("@") else {word}
            allowed = allowed - names if taken else allowed | names
    # The manager allows these whatever the list says.
    allowed |= group("@default")
    return {known[name] for name in allowed if name in known}


def group(name):
    text = subprocess.run(["systemd-analyze", "syscall-filter", name], check=True, capture_output=True, text=True).stdout
    words = [line.strip() for line in text.splitlines()[1:]]
    names = {word for word in words if word and word[0] not in "@#"}
    return names.union(*(group(word) for word in words if word.startswith("@")))


def inside(arguments):
    import ast
    facts = ast.literal_eval(arguments[0])
    if facts["users"]:
        user, group_id = os.getuid(), os.getgid()
        check(LIBC.unshare(CLONE_NEWUSER), "unshare")
        for path, text in [("setgroups", "deny"), ("uid_map", f"{user} {user} 1"), ("gid_map", f"{group_id} {group_id} 1")]:
            with open(f"/proc/self/{path}", "w") as to:
                to.write(text)
    # Warnings of the interpreter's own shutdown would be refused calls: nothing comes after this but the program.
    seccomp(facts)
    os.execve(facts["file"], ["weir", *arguments[1:]], dict(os.environ))


def seccomp(facts):
    """SystemCallFilter, RestrictAddressFamilies, RestrictNamespaces, MemoryDenyWriteExecute: EPERM for what is not allowed."""
    load, equal, any_bit, give = 0x20, 0x15, 0x45, 0x06
    allow, refuse = 0x7fff0000, 0x00050001
    machine = {"x86_64": 0xc000003e, "aarch64": 0xc00000b7, "riscv64": 0xc00000f3}[os.uname().machine]
    low = lambda argument: 16 + 8 * argument
    numbers = {"x86_64": (41, 53, 9, 10, 308, 272), "aarch64": (198, 199, 222, 226, 268, 97), "riscv64": (198, 199, 222, 226, 268, 97)}
    socket, pair, mmap, mprotect, setns, unshare = numbers[os.uname().machine]
    families = [{"AF_UNIX": 1, "AF_INET": 2, "AF_INET6": 10, "AF_NETLINK": 16}[name] for name in facts["families"]]
    code = [(load, 0, 0, 4), (equal, 1, 0, machine), (give, 0, 0, refuse), (load, 0, 0, 0)]

    def rule(calls, checks):
        """For these calls, the checks decide; they end with a verdict."""
        for call in calls:
            code.append((equal, 0, len(checks), call))
            code.extend(checks)

    rule([socket, pair], [(load, 0, 0, low(0))] + [
        (equal, len(families) - index, 0, family) for index, family in enumerate(families)
    ] + [(give, 0, 0, refuse), (give, 0, 0, allow)])
    if facts["wx"]:
        rule([mmap], [(load, 0, 0, low(2)), (any_bit, 0, 2, 4), (any_bit, 0, 1, 2), (give, 0, 0, refuse), (give, 0, 0, allow)])
        rule([mprotect], [(load, 0, 0, low(2)), (any_bit, 0, 1, 4), (give, 0, 0, refuse), (give, 0, 0, allow)])
    if facts["namespaces"] == "yes":
        rule([setns, unshare], [(give, 0, 0, refuse)])
    elif facts["namespaces"] == "net":
        rule([unshare], [(give, 0, 0, refuse)])
        rule([setns], [(load, 0, 0, low(1)), (equal, 1, 0, 0x40000000), (give, 0, 0, refuse), (give, 0, 0, allow)])
    else:
        sys.exit(f"confine.py: RestrictNamespaces={facts['namespaces']}: say here what it does")
    for number in facts["allowed"]:
        code += [(equal, 0, 1, number), (give, 0, 0, allow)]
    code.append((give, 0, 0, refuse))
    packed = b"".join(struct.pack("HBBI", *one) for one in code)
    buffer = ctypes.create_string_buffer(packed, len(packed))
    program = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(code), ctypes.addressof(buffer)))
    # PR_SET_SECCOMP, SECCOMP_MODE_FILTER
    check(LIBC.prctl(22, 2, program, 0, 0), "prctl")


main()
