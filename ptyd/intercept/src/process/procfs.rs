//! Files of procfs, whose content is made whole by the first read and whose size is not known.

use std::fs::File;
use std::io::Read;

/// More than any of the small files has.
const SMALL: usize = 4096;

/// The content of `/proc/{pid}/{name}`, with as few calls as it takes.
pub fn read(pid: i32, name: &str) -> std::io::Result<Vec<u8>> {
    let mut file = File::open(format!("/proc/{pid}/{name}"))?;
    let mut content = vec![0; SMALL];
    let mut length = 0;
    loop {
        let count = file.read(&mut content[length..])?;
        length += count;
        // A file that does not fill what it is offered has no more.
        if count == 0 || length < content.len() {
            content.truncate(length);
            return Ok(content);
        }
        content.resize(2 * content.len(), 0);
    }
}

/// `stat` of task `tid` alone (`proc_pid_stat(5)`). In the file of that name which stands for the process the kernel adds
/// up the times of all its threads, each time anew: with twenty thousand of them that takes ten milliseconds.
pub fn stat(tid: i32) -> std::io::Result<Vec<u8>> {
    read(tid, &format!("task/{tid}/stat"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_of_a_task_alone_is_what_its_process_says() -> std::io::Result<()> {
        let own = std::process::id() as i32;
        // Parent, group, session, terminal; the threads of other tests come, go and take time.
        let fields = |text: Vec<u8>| -> Vec<String> {
            let text = String::from_utf8_lossy(&text).into_owned();
            let behind = text.rsplit_once(") ").map_or("", |(_, behind)| behind);
            behind.split(' ').skip(1).take(4).map(str::to_owned).collect()
        };
        let (one, all) = (fields(stat(own)?), fields(read(own, "stat")?));
        assert_eq!(one.len(), 4);
        assert_eq!(one, all);
        Ok(())
    }

    #[test]
    fn small_and_large_files_are_read_whole() -> std::io::Result<()> {
        let own = std::process::id() as i32;
        assert_eq!(read(own, "cmdline")?, std::fs::read("/proc/self/cmdline")?);
        // Longer than one offer.
        assert_eq!(read(own, "environ")?, std::fs::read("/proc/self/environ")?);
        Ok(())
    }

    #[test]
    fn a_process_that_is_not_there_is_an_error() {
        assert!(read(i32::MAX, "stat").is_err());
    }
}
