//! The decision path does not allocate.

use std::cell::Cell;
use std::path::Path;

use agentsh_policy::{
    CommandQuery, FileOp, LoadError, NetOp, NetworkQuery, Policy, Protocol, SignalQuery, TargetType, Targets,
    UnixAddress, UnixOp, Variables, packs,
};

mod sys;

#[global_allocator]
static ALLOCATOR: sys::Counting = sys::Counting;

fn allocations(work: impl FnOnce()) -> usize {
    let before = sys::COUNT.with(Cell::get);
    work();
    sys::COUNT.with(Cell::get) - before
}

fn variables() -> Variables {
    Variables {
        project_root: Some(b"/home/u/project".to_vec()),
        git_root: Some(b"/home/u/project".to_vec()),
        home: b"/home/u".to_vec(),
        user: b"u".to_vec(),
        tmpdir: b"/tmp".to_vec(),
        links: vec![(b"/bin".to_vec(), b"/usr/bin".to_vec())],
        folding: Vec::new(),
        leads: Vec::new(),
    }
}

fn judge_everything(policy: &Policy) {
    for path in [
        &b"/home/u/.ssh/id"[..],
        b"/home/u/project/a/.git/hooks/x",
        b"/usr/lib/libc.so.6",
        b"/",
        b"/dev/sda",
        b"/x/\xff",
    ] {
        for op in FileOp::ALL {
            std::hint::black_box(policy.file(*op, path));
        }
    }
    let command = CommandQuery {
        program: b"/usr/bin/make",
        called: b"make",
        args: &[b"all"],
        depth: 1,
    };
    std::hint::black_box(policy.command(&command));
    let network = NetworkQuery {
        operation: NetOp::Connect,
        protocol: Protocol::Tcp,
        host: Some("Some.Host.Example."),
        address: Some(std::net::Ipv4Addr::new(192, 0, 2, 1).into()),
        port: 443,
    };
    std::hint::black_box(policy.network(&network));
    std::hint::black_box(policy.unix_socket(UnixOp::Connect, UnixAddress::Path(b"/run/x/y.sock")));
    let signal = SignalQuery {
        signal: 15,
        target: Targets::of(TargetType::External),
        program: b"/usr/bin/x",
        pid: 9,
    };
    std::hint::black_box(policy.signal(&signal));
}

#[test]
fn judging_with_any_pack_allocates_nothing() -> Result<(), LoadError> {
    for pack in packs::ALL {
        let policy = pack.document()?.resolve(&variables())?;
        assert_eq!(allocations(|| judge_everything(&policy)), 0, "{}", pack.name);
    }
    Ok(())
}

#[test]
fn ten_thousand_rules_are_no_slower_than_their_paths_are_long() -> Result<(), LoadError> {
    let mut text = String::from("version: 1\nname: big\nfile_rules:\n");
    for rule in 0..10_000 {
        let path = match rule % 4 {
            0 => format!("/data/d{}/f{rule}/**", rule % 97),
            1 => format!("**/secret-{rule}"),
            2 => format!("/srv/x{rule}"),
            _ => format!("**/*.ext{rule}"),
        };
        text.push_str(&format!("  - {{name: r{rule}, paths: ['{path}'], decision: deny}}\n"));
    }
    let policy = agentsh_policy::parse(&text, Path::new("big.yaml"))?.resolve(&variables())?;
    assert_eq!(policy.file(FileOp::Write, b"/x/y/z.ext9999").rule, Some("r9999"));
    let calls = 20_000u32;
    let begun = std::time::Instant::now();
    for _ in 0..calls {
        std::hint::black_box(policy.file(FileOp::Read, b"/home/u/project/src/deep/folder/main.rs"));
    }
    let each = begun.elapsed() / calls;
    println!("one file judged against 10,000 rules: {each:?}");
    assert!(each.as_micros() < 100, "{each:?}");
    Ok(())
}
