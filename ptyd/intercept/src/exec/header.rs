//! What the first bytes of a file make the kernel do with it, `execve(2)`, `elf(5)`.

use std::os::fd::BorrowedFd;

use rustix::io::Errno;

/// How much of a file the kernel looks at (`BINPRM_BUF_SIZE`).
const LOOK: usize = 256;

/// The most bytes of program headers that the kernel takes.
const MAX_HEADERS: u64 = 64 << 10;

/// The most of a dynamic section that is looked at, in bytes.
const MAX_DYNAMIC: u64 = 64 << 10;

/// The kind of an executable file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Header {
    /// `#!interpreter argument`.
    Script {
        /// The interpreter's path as written.
        interpreter: Vec<u8>,
        /// The rest of the line as one argument, if there is any.
        argument: Option<Vec<u8>>,
    },
    /// An ELF program.
    Elf {
        /// It can load another program that is named in its arguments (`ld.so`).
        loader: bool,
        /// The loader that it asks for (`PT_INTERP`).
        interpreter: Option<Vec<u8>>,
    },
    /// Anything else: the kernel refuses it, or hands it to an interpreter that `binfmt_misc` names.
    Other,
    /// Not ours to read. The kernel may still execute it; what ran is seen afterwards.
    Unreadable,
}

/// Looks at the file `fd`, which is open for reading.
///
/// # Errors
/// Those of `pread(2)`.
pub fn look(fd: BorrowedFd<'_>) -> Result<Header, Errno> {
    let mut start = [0; LOOK];
    let count = read_at(fd, 0, &mut start)?;
    let start = &start[..count];
    if start.starts_with(b"#!") {
        return Ok(script(start).unwrap_or(Header::Other));
    }
    if start.starts_with(b"\x7fELF") {
        return Ok(elf(fd, start).unwrap_or(Header::Other));
    }
    Ok(Header::Other)
}

fn read_at(fd: BorrowedFd<'_>, offset: u64, into: &mut [u8]) -> Result<usize, Errno> {
    let mut done = 0;
    while done < into.len() {
        match rustix::io::pread(fd, &mut into[done..], offset + done as u64) {
            Ok(0) => break,
            Ok(count) => done += count,
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(done)
}

/// The `#!` line as the kernel cuts it; `None` where the kernel refuses it.
fn script(start: &[u8]) -> Option<Header> {
    let blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    let line = start.get(2..)?;
    let (line, whole) = match line.iter().position(|byte| *byte == b'\n') {
        Some(end) => (&line[..end], true),
        // A file shorter than the kernel's look ends the line too: there the rest of the buffer is zero.
        None => (line, start.len() < LOOK),
    };
    let begin = line.iter().position(|byte| !blank(byte))?;
    let end = line.iter().rposition(|byte| !blank(byte))? + 1;
    let line = &line[begin..end];
    let name = line
        .iter()
        .position(|byte| blank(byte) || *byte == 0)
        .unwrap_or(line.len());
    if name == 0 || (!whole && name == line.len()) {
        return None;
    }
    let rest = &line[name..];
    let rest = rest
        .iter()
        .position(|byte| !blank(byte))
        .map_or(&[][..], |begin| &rest[begin..]);
    let rest = rest.iter().position(|byte| *byte == 0).map_or(rest, |end| &rest[..end]);
    Some(Header::Script {
        interpreter: line[..name].to_vec(),
        argument: (!rest.is_empty()).then(|| rest.to_vec()),
    })
}

/// Numbers of one ELF class, read where they lie.
struct Layout {
    wide: bool,
}

/// `EM_*` of the programs that the kernel executes here: its own, and those of its 32-bit forerunner (`EM_386`, `EM_486`).
#[cfg(target_arch = "x86_64")]
const MACHINES: (u64, &[u64]) = (62, &[3, 6]);
#[cfg(target_arch = "aarch64")]
const MACHINES: (u64, &[u64]) = (183, &[40]);

impl Layout {
    /// The kernel goes by the machine alone: class and byte order, which the file names as well, it does not look at.
    fn of(start: &[u8]) -> Option<Layout> {
        let machine = number(start, 18, 2)?;
        let (own, narrow) = MACHINES;
        let wide = machine == own;
        (wide || narrow.contains(&machine)).then_some(Layout { wide })
    }

    fn word(&self, bytes: &[u8], narrow: usize, wide: usize) -> Option<u64> {
        if self.wide {
            number(bytes, wide, 8)
        } else {
            number(bytes, narrow, 4)
        }
    }
}

fn number(bytes: &[u8], at: usize, size: usize) -> Option<u64> {
    let bytes = bytes.get(at..at.checked_add(size)?)?;
    let fold = |number: u64, byte: &u8| number << 8 | u64::from(*byte);
    Some(bytes.iter().rev().fold(0, fold))
}

const ET_DYN: u64 = 3;
const PT_DYNAMIC: u64 = 2;
const PT_INTERP: u64 = 3;
const DT_FLAGS_1: u64 = 0x6fff_fffb;
const DF_1_PIE: u64 = 0x0800_0000;

/// What an ELF file is; `None` where it is cut short, or another machine's.
///
/// A loader is a shared object that runs by itself and does not say that it is a program: it asks for no
/// loader, has a dynamic section and lacks the mark of a position-independent program. That is what the
/// loaders of glibc and musl are, under whatever name.
fn elf(fd: BorrowedFd<'_>, start: &[u8]) -> Option<Header> {
    let layout = Layout::of(start)?;
    let shared = number(start, 16, 2)? == ET_DYN;
    let mut dynamic = None;
    let mut interpreter = None;
    for header in program_headers(fd, start, &layout)? {
        let place = (layout.word(&header, 4, 8)?, layout.word(&header, 16, 32)?);
        match number(&header, 0, 4)? {
            PT_INTERP if interpreter.is_none() => {
                let mut path = content(fd, place, libc::PATH_MAX as u64)?;
                path.truncate(path.iter().position(|byte| *byte == 0).unwrap_or(path.len()));
                interpreter = Some(path);
            }
            PT_DYNAMIC => dynamic = Some(place),
            _ => {}
        }
    }
    let loader = match dynamic {
        Some(place) if shared && interpreter.is_none() => !is_marked_program(fd, place, &layout)?,
        _ => false,
    };
    Some(Header::Elf { loader, interpreter })
}

fn program_headers(fd: BorrowedFd<'_>, start: &[u8], layout: &Layout) -> Option<Vec<Vec<u8>>> {
    let table = layout.word(start, 28, 32)?;
    let (size, count) = if layout.wide { (54, 56) } else { (42, 44) };
    let size = number(start, size, 2)?;
    let count = number(start, count, 2)?;
    // The kernel takes no other size.
    if size != if layout.wide { 56 } else { 32 } || size * count > MAX_HEADERS {
        return None;
    }
    let headers = content(fd, (table, size * count), u64::MAX)?;
    Some(headers.chunks_exact(size as usize).map(<[u8]>::to_vec).collect())
}

fn content(fd: BorrowedFd<'_>, (offset, length): (u64, u64), limit: u64) -> Option<Vec<u8>> {
    let mut bytes = vec![0; length.min(limit) as usize];
    let read = read_at(fd, offset, &mut bytes).ok()?;
    bytes.truncate(read);
    Some(bytes)
}

fn is_marked_program(fd: BorrowedFd<'_>, place: (u64, u64), layout: &Layout) -> Option<bool> {
    let entries = content(fd, place, MAX_DYNAMIC)?;
    let marked = |pair: &[u8]| {
        let (tag, value) = (layout.word(pair, 0, 0), layout.word(pair, 4, 8));
        tag == Some(DT_FLAGS_1) && value.is_some_and(|value| value & DF_1_PIE != 0)
    };
    Some(entries.chunks_exact(if layout.wide { 16 } else { 8 }).any(marked))
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use proptest::prelude::*;

    use super::*;

    fn line(text: &[u8]) -> Option<(String, Option<String>)> {
        let text_of = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        match script(text)? {
            Header::Script { interpreter, argument } => Some((text_of(interpreter), argument.map(text_of))),
            _ => None,
        }
    }

    fn both(interpreter: &str, argument: Option<&str>) -> Option<(String, Option<String>)> {
        Some((interpreter.to_owned(), argument.map(str::to_owned)))
    }

    #[test]
    fn a_script_line_is_cut_as_the_kernel_cuts_it() {
        assert_eq!(line(b"#!/bin/sh\necho"), both("/bin/sh", None));
        assert_eq!(line(b"#! \t/bin/sh -e  -x \t\n"), both("/bin/sh", Some("-e  -x")));
        assert_eq!(line(b"#!/usr/bin/env python3"), both("/usr/bin/env", Some("python3")));
        assert_eq!(line(b"#!/bin/sh\r\n"), both("/bin/sh\r", None));
        assert_eq!(line(b"#!\n/bin/sh"), None);
        assert_eq!(line(b"#!   \n"), None);
    }

    #[test]
    fn an_interpreter_that_does_not_fit_is_refused_and_its_argument_is_cut() {
        let mut long = b"#!/".to_vec();
        long.resize(LOOK, b'a');
        assert_eq!(line(&long), None);
        let mut argument = b"#!/bin/sh ".to_vec();
        argument.resize(LOOK, b'b');
        assert_eq!(line(&argument), both("/bin/sh", Some(&"b".repeat(LOOK - 10))));
    }

    #[test]
    fn a_loader_is_known_by_its_structure_and_a_program_is_not_one() {
        let kind = |path: &str| std::fs::File::open(path).ok().and_then(|file| look(file.as_fd()).ok());
        let Some(Header::Elf {
            loader: false,
            interpreter: Some(path),
        }) = kind("/bin/sh")
        else {
            unreachable!("a shell that is no dynamic program: {:?}", kind("/bin/sh"));
        };
        let loader = String::from_utf8_lossy(&path).into_owned();
        assert_eq!(
            kind(&loader),
            Some(Header::Elf {
                loader: true,
                interpreter: None
            })
        );
        assert_eq!(kind("/etc/passwd"), Some(Header::Other));
    }

    #[test]
    fn a_loader_is_found_behind_as_many_headers_as_the_kernel_takes() -> std::io::Result<()> {
        let program = std::fs::read("/bin/sh")?;
        let at = |at: usize, size| number(&program, at, size).unwrap_or_default() as usize;
        let (table, count) = (at(32, 8), at(56, 2));
        for (all, found) in [(600, true), (1170, true), (1171, false)] {
            let mut moved = program.clone();
            moved[32..40].copy_from_slice(&program.len().to_le_bytes());
            moved[56..58].copy_from_slice(&(all as u16).to_le_bytes());
            moved.resize(program.len() + 56 * (all - count), 0);
            moved.extend_from_slice(&program[table..table + 56 * count]);
            let file = tempfile::tempfile()?;
            std::io::Write::write_all(&mut &file, &moved)?;
            let header = look(file.as_fd())?;
            let has_loader = matches!(
                header,
                Header::Elf {
                    interpreter: Some(_),
                    ..
                }
            );
            assert_eq!(
                (has_loader, header == Header::Other),
                (found, !found),
                "{all}: {header:?}"
            );
        }
        Ok(())
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_fail(bytes: Vec<u8>, elf: bool) {
            let mut text = b"#!".to_vec();
            if elf {
                text = b"\x7fELF\x02\x01".to_vec();
                text.resize(18, 3);
                text.extend((MACHINES.0 as u16).to_le_bytes());
            }
            text.extend(bytes);
            let file = tempfile::tempfile()?;
            std::io::Write::write_all(&mut &file, &text)?;
            prop_assert!(look(file.as_fd()).is_ok());
        }
    }
}
