/* What of the kernel's interface the programs use (bpf-helpers(7)); from its own headers, without libbpf. */
#pragma once

#include <linux/bpf.h>
#include <linux/in.h>
#include <linux/in6.h>

#define SEC(name) __attribute__((section(name), used))
#define INLINE static __attribute__((always_inline)) inline

/* How a map's type, sizes and flags are written into its BTF. */
#define NUMBER(name, value) int(*name)[value]
#define TYPE(name, type) type *name

static void *(*const map_lookup)(void *map, const void *key) = (void *)BPF_FUNC_map_lookup_elem;
static long (*const map_update)(void *map, const void *key, const void *value, __u64 flags) =
    (void *)BPF_FUNC_map_update_elem;
static long (*const tail_call)(void *context, void *programs, __u32 index) = (void *)BPF_FUNC_tail_call;
static __u64 (*const now)(void) = (void *)BPF_FUNC_ktime_get_boot_ns;
static __u64 (*const current_pid_tgid)(void) = (void *)BPF_FUNC_get_current_pid_tgid;
static __u64 (*const current_cgroup)(void) = (void *)BPF_FUNC_get_current_cgroup_id;
static long (*const current_comm)(void *buffer, __u32 size) = (void *)BPF_FUNC_get_current_comm;
static __u64 (*const socket_cookie)(void *context) = (void *)BPF_FUNC_get_socket_cookie;
static void *(*const ring_reserve)(void *ring, __u64 size, __u64 flags) = (void *)BPF_FUNC_ringbuf_reserve;
static void (*const ring_submit)(void *data, __u64 flags) = (void *)BPF_FUNC_ringbuf_submit;

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define network32(x) __builtin_bswap32(x)
#define network16(x) __builtin_bswap16(x)
#else
#define network32(x) (x)
#define network16(x) (x)
#endif
