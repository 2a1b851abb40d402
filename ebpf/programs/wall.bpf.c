/*
 * The wall around what a control group sends: every connect, bind and datagram of it is judged on the kernel's
 * own copy of the address, by the first rule that matches.
 *
 * Each hook is two programs. The attached one stays with the group for good and does nothing but call the other
 * by way of a program array. The kernel empties that array once its last descriptor is closed, so that with its
 * loader dead a wall denies everything; it does so in its own time, and the end of the exempt process is seen at once.
 */
#include "kernel.h"

char LICENSE[] SEC("license") = "GPL";

/* Rules: bit N of a mask is rule N. */
#define WORDS 4
#define RULES (WORDS * 64)

struct mask {
    __u64 words[WORDS];
};

enum operation { CONNECT, BIND, SEND, OPERATIONS };
enum kind { KIND_CONNECT, KIND_BIND, KIND_SEND, KIND_SOCKET };
enum verdict { DENY, ALLOW, AUDIT };

struct endpoint {
    __u8 address[16];
    __u32 port;
};

struct config {
    struct mask any_port;
    /* By operation, TCP and UDP. */
    struct mask operations[OPERATIONS * 2];
    __u8 verdicts[RULES];
    __u32 otherwise;
    /* The process whose calls are judged already; 0 for none. */
    __u32 exempt;
    /* Whether sockets for echo requests may be made: no hook sees what they send. */
    __u32 echo_sockets;
    /* Where questions to port 53 go; port 0 for none. */
    struct endpoint resolver4, resolver6;
    /* Set here once the exempt process ends: nothing passes any more. */
    __u32 dead;
};

struct event {
    __u64 time;
    __u64 cgroup;
    /* Of the socket, for a connect. */
    __u64 cookie;
    __u32 tgid, tid;
    __u8 kind, verdict, family, protocol;
    __u16 port;
    /* RULES for none; of a socket its protocol. */
    __u16 rule;
    __u8 address[16];
    __u8 comm[16];
};

/* Addresses are those of IPv6; those of IPv4 are mapped. */
struct address_key {
    __u32 bits;
    __u8 address[16];
};

/* Which rules match there: whatever the name, and because of a name until then (in nanoseconds since boot). */
struct place {
    struct mask always;
    struct mask named;
    __u64 until;
};

struct {
    NUMBER(type, BPF_MAP_TYPE_LPM_TRIE);
    NUMBER(map_flags, BPF_F_NO_PREALLOC);
    NUMBER(max_entries, 65536);
    TYPE(key, struct address_key);
    TYPE(value, struct place);
} ADDRESSES SEC(".maps");

struct {
    NUMBER(type, BPF_MAP_TYPE_HASH);
    NUMBER(map_flags, BPF_F_NO_PREALLOC);
    NUMBER(max_entries, 65536);
    TYPE(key, __u32);
    TYPE(value, struct mask);
} PORTS SEC(".maps");

struct {
    NUMBER(type, BPF_MAP_TYPE_ARRAY);
    NUMBER(max_entries, 1);
    TYPE(key, __u32);
    TYPE(value, struct config);
} CONFIG SEC(".maps");

/* By socket: whom it asked before it was sent to the resolver. */
struct {
    NUMBER(type, BPF_MAP_TYPE_LRU_HASH);
    NUMBER(max_entries, 4096);
    TYPE(key, __u64);
    TYPE(value, struct endpoint);
} ASKED SEC(".maps");

/* Sockets that were made behind the wall, by cookie: no others are judged here. */
struct {
    NUMBER(type, BPF_MAP_TYPE_LRU_HASH);
    NUMBER(max_entries, 16384);
    TYPE(key, __u64);
    TYPE(value, __u32);
} MADE SEC(".maps");

struct {
    NUMBER(type, BPF_MAP_TYPE_RINGBUF);
    NUMBER(max_entries, 1 << 17);
} EVENTS SEC(".maps");

struct {
    NUMBER(type, BPF_MAP_TYPE_ARRAY);
    NUMBER(max_entries, 1);
    TYPE(key, __u32);
    TYPE(value, __u64);
} LOST SEC(".maps");

#define GATE(name)                              \
    struct {                                    \
        NUMBER(type, BPF_MAP_TYPE_PROG_ARRAY);  \
        NUMBER(max_entries, 1);                 \
        NUMBER(key_size, sizeof(__u32));        \
        NUMBER(value_size, sizeof(__u32));      \
    } name SEC(".maps")

INLINE struct config *config(void) {
    __u32 first = 0;
    struct config *config_ = map_lookup(&CONFIG, &first);
    return config_ && !config_->dead ? config_ : 0;
}

INLINE struct event *new_event(__u8 kind) {
    struct event *event = ring_reserve(&EVENTS, sizeof(*event), 0);
    if (!event) {
        __u32 first = 0;
        __u64 *lost = map_lookup(&LOST, &first);
        if (lost)
            __sync_fetch_and_add(lost, 1);
        return 0;
    }
    __u64 id = current_pid_tgid();
    __builtin_memset(event, 0, sizeof(*event));
    event->time = now();
    event->cgroup = current_cgroup();
    event->tgid = id >> 32;
    event->tid = id;
    event->kind = kind;
    event->rule = RULES;
    current_comm(event->comm, sizeof(event->comm));
    return event;
}

/* Of a word that has one: the bits below it, counted without a branch, of which the kernel would try every way. */
INLINE int lowest_bit(__u64 word) {
    __u64 below = (word & -word) - 1;
    below -= below >> 1 & 0x5555555555555555;
    below = (below & 0x3333333333333333) + (below >> 2 & 0x3333333333333333);
    below = (below + (below >> 4)) & 0x0f0f0f0f0f0f0f0f;
    return below * 0x0101010101010101 >> 56;
}

/* The first rule that is in all of them; RULES for none. */
INLINE __u32 first_rule(const struct place *at, const struct mask *b, const struct mask *c) {
    int named = at->until > now();
    for (int i = 0; i < WORDS; i++) {
        __u64 here = at->always.words[i];
        if (named)
            here |= at->named.words[i];
        __u64 all = here & b->words[i] & c->words[i];
        if (all)
            return i * 64 + lowest_bit(all);
    }
    return RULES;
}

INLINE int judge(struct bpf_sock_addr *context, struct config *config, __u32 operation, const __u8 *address,
                 __u32 port) {
    struct address_key key = {.bits = 128};
    __builtin_memcpy(key.address, address, sizeof(key.address));
    struct place *addresses = map_lookup(&ADDRESSES, &key);
    struct mask *ports = map_lookup(&PORTS, &port);
    if (!ports)
        ports = &config->any_port;
    __u32 udp = context->protocol == IPPROTO_UDP;
    __u32 rule = RULES;
    /* Rules speak of TCP and UDP. */
    int spoken_of = udp || context->protocol == IPPROTO_TCP;
    if (addresses && spoken_of)
        rule = first_rule(addresses, ports, &config->operations[operation * 2 + udp]);
    __u8 verdict = rule < RULES ? config->verdicts[rule & (RULES - 1)] : spoken_of ? config->otherwise : DENY;
    if (verdict != ALLOW) {
        struct event *event = new_event(operation);
        if (event) {
            event->verdict = verdict;
            event->family = context->user_family;
            event->protocol = context->protocol;
            event->port = port;
            event->rule = rule;
            event->cookie = socket_cookie(context);
            __builtin_memcpy(event->address, address, sizeof(event->address));
            ring_submit(event, 0);
        }
    }
    return verdict != DENY;
}

INLINE int is_exempt(struct config *config) { return config->exempt && current_pid_tgid() >> 32 == config->exempt; }

INLINE void map_address(__u8 *to, __u32 address) {
    __builtin_memset(to, 0, 10);
    to[10] = to[11] = 0xff;
    __builtin_memcpy(to + 12, &address, 4);
}

/* To whichever server a question goes, the session's resolver gets it. */
INLINE void remember(struct bpf_sock_addr *context, const __u8 *address, __u32 port) {
    struct endpoint asked = {.port = port};
    __u64 cookie = socket_cookie(context);
    __builtin_memcpy(asked.address, address, sizeof(asked.address));
    map_update(&ASKED, &cookie, &asked, BPF_ANY);
}

INLINE int outward4(struct bpf_sock_addr *context, __u32 operation) {
    struct config *config_ = config();
    if (!config_)
        return 0;
    if (is_exempt(config_))
        return 1;
    /* An unspecified address means this machine. */
    __u32 given = context->user_ip4 ? context->user_ip4 : network32(INADDR_LOOPBACK);
    __u32 port = network16(context->user_port);
    __u8 address[16];
    map_address(address, given);
    if (port == 53 && config_->resolver4.port) {
        remember(context, address, port);
        __u32 to;
        __builtin_memcpy(&to, config_->resolver4.address + 12, 4);
        context->user_ip4 = to;
        context->user_port = network16(config_->resolver4.port);
        return 1;
    }
    return judge(context, config_, operation, address, port);
}

INLINE void read6(struct bpf_sock_addr *context, __u32 *words) {
    words[0] = context->user_ip6[0];
    words[1] = context->user_ip6[1];
    words[2] = context->user_ip6[2];
    words[3] = context->user_ip6[3];
}

INLINE int outward6(struct bpf_sock_addr *context, __u32 operation) {
    struct config *config_ = config();
    if (!config_)
        return 0;
    if (is_exempt(config_))
        return 1;
    __u32 words[4];
    read6(context, words);
    __u32 mapped = network32(0xffff);
    if (!words[0] && !words[1] && !words[3]) {
        if (!words[2])
            words[3] = network32(1);
        else if (words[2] == mapped)
            words[3] = network32(INADDR_LOOPBACK);
    }
    __u32 port = network16(context->user_port);
    if (port == 53) {
        int is_mapped = !words[0] && !words[1] && words[2] == mapped;
        struct endpoint *resolver = is_mapped ? &config_->resolver4 : &config_->resolver6;
        if (resolver->port) {
            __u32 to[4];
            remember(context, (const __u8 *)words, port);
            __builtin_memcpy(to, resolver->address, sizeof(to));
            context->user_ip6[0] = to[0];
            context->user_ip6[1] = to[1];
            context->user_ip6[2] = to[2];
            context->user_ip6[3] = to[3];
            context->user_port = network16(resolver->port);
            return 1;
        }
    }
    return judge(context, config_, operation, (const __u8 *)words, port);
}

/* The answer comes from whom was asked. */
INLINE struct endpoint *whom_asked(struct bpf_sock_addr *context) {
    __u64 cookie = socket_cookie(context);
    return map_lookup(&ASKED, &cookie);
}

#define HOOK(section, name, gate)                          \
    GATE(gate);                                            \
    SEC(section) int name(struct bpf_sock_addr *context) { \
        tail_call(context, &gate, 0);                      \
        return 0;                                          \
    }

HOOK("cgroup/connect4", connect4, GATE_CONNECT4)
HOOK("cgroup/connect6", connect6, GATE_CONNECT6)
HOOK("cgroup/sendmsg4", sendmsg4, GATE_SENDMSG4)
HOOK("cgroup/sendmsg6", sendmsg6, GATE_SENDMSG6)
HOOK("cgroup/bind4", bind4, GATE_BIND4)
HOOK("cgroup/bind6", bind6, GATE_BIND6)

SEC("cgroup/connect4") int judge_connect4(struct bpf_sock_addr *context) { return outward4(context, CONNECT); }
SEC("cgroup/connect6") int judge_connect6(struct bpf_sock_addr *context) { return outward6(context, CONNECT); }
SEC("cgroup/sendmsg4") int judge_sendmsg4(struct bpf_sock_addr *context) { return outward4(context, SEND); }
SEC("cgroup/sendmsg6") int judge_sendmsg6(struct bpf_sock_addr *context) { return outward6(context, SEND); }

SEC("cgroup/bind4") int judge_bind4(struct bpf_sock_addr *context) {
    struct config *config_ = config();
    if (!config_)
        return 0;
    __u8 address[16];
    map_address(address, context->user_ip4);
    return is_exempt(config_) || judge(context, config_, BIND, address, network16(context->user_port));
}

SEC("cgroup/bind6") int judge_bind6(struct bpf_sock_addr *context) {
    struct config *config_ = config();
    if (!config_)
        return 0;
    __u32 words[4];
    read6(context, words);
    return is_exempt(config_) || judge(context, config_, BIND, (const __u8 *)words, network16(context->user_port));
}

SEC("cgroup/recvmsg4") int recvmsg4(struct bpf_sock_addr *context) {
    struct config *config_ = config();
    struct endpoint *asked = whom_asked(context);
    if (config_ && asked && network16(context->user_port) == config_->resolver4.port) {
        __u32 address;
        __builtin_memcpy(&address, asked->address + 12, 4);
        context->user_ip4 = address;
        context->user_port = network16(asked->port);
    }
    return 1;
}

SEC("cgroup/recvmsg6") int recvmsg6(struct bpf_sock_addr *context) {
    struct config *config_ = config();
    struct endpoint *asked = whom_asked(context);
    if (!config_ || !asked)
        return 1;
    __u32 port = network16(context->user_port);
    if (port == config_->resolver6.port || port == config_->resolver4.port) {
        __u32 address[4];
        __builtin_memcpy(address, asked->address, sizeof(address));
        context->user_ip6[0] = address[0];
        context->user_ip6[1] = address[1];
        context->user_ip6[2] = address[2];
        context->user_ip6[3] = address[3];
        context->user_port = network16(asked->port);
    }
    return 1;
}

/* Only what the other hooks can judge: MPTCP, SCTP, echo and raw sockets send without asking them. */
GATE(GATE_SOCKET);

SEC("cgroup/sock_create") int sock_create(struct bpf_sock *context) {
    tail_call(context, &GATE_SOCKET, 0);
    return 0;
}

SEC("cgroup/sock_create") int judge_sock_create(struct bpf_sock *context) {
    enum { STREAM = 1, DATAGRAM = 2 };
    struct config *config_ = config();
    if (!config_)
        return 0;
    int known = (context->type == STREAM && context->protocol == IPPROTO_TCP) ||
                (context->type == DATAGRAM && context->protocol == IPPROTO_UDP);
    if (known) {
        __u64 cookie = socket_cookie(context);
        __u32 made = 1;
        map_update(&MADE, &cookie, &made, BPF_ANY);
    }
    int echo = context->type == DATAGRAM &&
               (context->protocol == IPPROTO_ICMP || context->protocol == IPPROTO_ICMPV6);
    if (known || (echo && config_->echo_sockets) || is_exempt(config_))
        return 1;
    struct event *event = new_event(KIND_SOCKET);
    if (event) {
        event->verdict = DENY;
        event->family = context->family;
        /* Protocols have numbers of more than eight bits (MPTCP). */
        event->rule = context->protocol;
        event->port = context->type;
        ring_submit(event, 0);
    }
    return 0;
}

/* This tracepoint is the machine's. */
SEC("raw_tp/sched_process_exit") int on_exit(void *context) {
    __u64 id = current_pid_tgid();
    /* The end of a process is that of its first thread. */
    struct config *config_ = (__u32)id == id >> 32 ? config() : 0;
    if (config_ && is_exempt(config_))
        config_->dead = 1;
    return 0;
}
