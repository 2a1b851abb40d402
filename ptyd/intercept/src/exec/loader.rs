//! The command line of a program loader, `ld.so(8)`: which program it is told to run.

/// Options of the loaders of glibc and musl that take a value in the next argument; musl also takes
/// it behind an equals sign.
const WITH_VALUE: [&[u8]; 7] = [
    b"--library-path",
    b"--glibc-hwcaps-prepend",
    b"--glibc-hwcaps-mask",
    b"--inhibit-rpath",
    b"--audit",
    b"--preload",
    b"--argv0",
];

/// What a loader is told to run.
#[derive(Debug, PartialEq, Eq)]
pub struct Told {
    /// The index of the program's name in the loader's `argv`.
    pub program: usize,
    /// The index of the value that the program gets as its `argv[0]`, if it is not its name.
    pub argv0: Option<usize>,
}

/// Understands a loader's arguments; `None` if they name no program (`--help`, `--version`).
///
/// An option that is not known is passed over: what is taken for the program is then judged too
/// early rather than not at all.
pub fn told(argv: &[impl AsRef<[u8]>]) -> Option<Told> {
    let (mut index, mut argv0) = (1, None);
    while index < argv.len() {
        let argument = argv[index].as_ref();
        if argument == b"--" {
            index += 1;
            break;
        }
        if !argument.starts_with(b"--") {
            break;
        }
        if WITH_VALUE.contains(&argument) {
            if argument == b"--argv0" {
                argv0 = Some(index + 1);
            }
            index += 1;
        }
        index += 1;
    }
    (index < argv.len()).then_some(Told { program: index, argv0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program(argv: &[&str]) -> Option<(usize, Option<usize>)> {
        told(argv).map(|told| (told.program, told.argv0))
    }

    #[test]
    fn the_program_is_the_first_word_behind_the_options() {
        assert_eq!(program(&["ld.so", "/bin/ls", "--list"]), Some((1, None)));
        assert_eq!(program(&["ld.so", "--list", "/bin/ls"]), Some((2, None)));
        assert_eq!(
            program(&["ld.so", "--preload", "/x.so", "--inhibit-cache", "/bin/ls"]),
            Some((4, None))
        );
        assert_eq!(
            program(&["ld.so", "--argv0", "-sh", "--library-path", "/l", "./sh"]),
            Some((5, Some(2)))
        );
        assert_eq!(program(&["ld-musl", "--preload=/x.so", "--", "ls"]), Some((3, None)));
    }

    #[test]
    fn without_a_program_there_is_none() {
        assert_eq!(program(&["ld.so"]), None);
        assert_eq!(program(&["ld.so", "--version"]), None);
        assert_eq!(program(&["ld.so", "--preload"]), None);
        assert_eq!(program(&[]), None);
    }
}
