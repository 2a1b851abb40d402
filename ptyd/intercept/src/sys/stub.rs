//! The stub: a program without library, stack use or memory of its own, which asks what it is to execute and does so.

/// Flags of `execveat(2)` that the kernel does not know: how the stub asks for the length of its orders.
pub const ASK_LENGTH: i32 = 0x4167_0001;

/// And for the orders themselves, at an address that it says.
pub const ASK_ORDERS: i32 = 0x4167_0002;

#[cfg(target_arch = "x86_64")]
std::arch::global_asm!(
    ".pushsection .rodata.agentsh_stub,\"a\",@progbits",
    ".globl agentsh_stub_start",
    ".hidden agentsh_stub_start",
    ".globl agentsh_stub_end",
    ".hidden agentsh_stub_end",
    "agentsh_stub_start:",
    // How long are the orders?
    "mov eax, {execveat}",
    "mov edi, -1",
    "xor esi, esi",
    "xor edx, edx",
    "xor r10d, r10d",
    "mov r8d, {ask_length}",
    "syscall",
    "test rax, rax",
    "jle 2f",
    "mov r12, rax",
    // Memory for them.
    "mov eax, {mmap}",
    "xor edi, edi",
    "mov rsi, r12",
    "mov edx, {protection}",
    "mov r10d, {mapping}",
    "mov r8, -1",
    "xor r9d, r9d",
    "syscall",
    "cmp rax, -4096",
    "ja 2f",
    "mov r13, rax",
    // The orders: program, argv, environment, and what these point to.
    "mov eax, {execveat}",
    "mov edi, -1",
    "mov rsi, r13",
    "mov rdx, r12",
    "xor r10d, r10d",
    "mov r8d, {ask_orders}",
    "syscall",
    "test rax, rax",
    "jnz 2f",
    "mov rdi, [r13]",
    "mov rsi, [r13 + 8]",
    "mov rdx, [r13 + 16]",
    "mov eax, {execve}",
    "syscall",
    "2:",
    "mov edi, 126",
    "mov eax, {exit_group}",
    "syscall",
    "ud2",
    "agentsh_stub_end:",
    ".popsection",
    execveat = const libc::SYS_execveat,
    execve = const libc::SYS_execve,
    mmap = const libc::SYS_mmap,
    exit_group = const libc::SYS_exit_group,
    ask_length = const ASK_LENGTH,
    ask_orders = const ASK_ORDERS,
    protection = const libc::PROT_READ | libc::PROT_WRITE,
    mapping = const libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
);

/// The stub's machine code, which runs wherever it lies.
#[cfg(target_arch = "x86_64")]
pub fn code() -> &'static [u8] {
    unsafe extern "C" {
        static agentsh_stub_start: u8;
        static agentsh_stub_end: u8;
    }
    let (start, end) = (&raw const agentsh_stub_start, &raw const agentsh_stub_end);
    // SAFETY: both labels bound one piece of read-only data of this program.
    unsafe { std::slice::from_raw_parts(start, end.offset_from(start) as usize) }
}

/// None is known for this architecture.
#[cfg(not(target_arch = "x86_64"))]
pub fn code() -> &'static [u8] {
    &[]
}
