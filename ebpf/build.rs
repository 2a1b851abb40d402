//! Compiles the programs for the kernel (`clang -target bpf`).

use std::env;
use std::path::PathBuf;
use std::process::Command;

const SOURCES: [&str; 2] = ["programs/wall.bpf.c", "programs/kernel.h"];

fn main() {
    for source in SOURCES {
        println!("cargo::rerun-if-changed={source}");
    }
    println!("cargo::rerun-if-env-changed=CLANG");
    if let Err(problem) = compile() {
        println!("cargo::error={problem}");
    }
}

fn compile() -> Result<(), String> {
    let out = env::var_os("OUT_DIR").ok_or("cargo sets OUT_DIR")?;
    let clang = env::var("CLANG").unwrap_or_else(|_| "clang".to_owned());
    // Debug information is where maps are described; the architecture's own headers are beside the common ones.
    let include = format!("-I/usr/include/{}-linux-gnu", env::consts::ARCH);
    let status = Command::new(&clang)
        .args(["-target", "bpf", "-mcpu=v2", "-O2", "-g", "-Wall", "-Werror", &include, "-c", SOURCES[0], "-o"])
        .arg(PathBuf::from(out).join("wall.o"))
        .status()
        .map_err(|error| format!("{clang}: {error}. The programs for the kernel need clang: `docs/setup.sh build` installs it; CLANG names another one"))?;
    match status.success() {
        true => Ok(()),
        false => Err(format!("{clang} could not compile {}", SOURCES[0])),
    }
}
