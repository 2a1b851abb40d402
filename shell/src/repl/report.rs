use super::names::Names;

/// What the shell tells after each line: see [`super::dialect::setup`].
#[derive(Debug, PartialEq, Eq)]
pub struct Report {
    pub status: i32,
    pub folder: String,
    pub names: Names,
    /// How many jobs are stopped.
    pub stopped: usize,
}

impl Report {
    /// A whole report at the beginning of what was said, and how long it is.
    pub fn parse(said: &[u8]) -> Option<(Report, usize)> {
        let mut rest = said;
        let mut texts = [const { String::new() }; 5];
        for text in &mut texts {
            let end = rest.iter().position(|byte| *byte == 0)?;
            *text = String::from_utf8_lossy(&rest[..end]).into_owned();
            rest = &rest[end + 1..];
        }
        let [first, path, variables, commands, stopped] = texts;
        let (status, folder) = first.split_once(' ').unwrap_or((&first, ""));
        let report = Report {
            status: status.parse().unwrap_or(0),
            folder: folder.to_owned(),
            names: Names::new(&path, &variables, &commands),
            stopped: stopped.lines().filter(|line| !line.is_empty()).count(),
        };
        Some((report, said.len() - rest.len()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_read_once_it_is_whole() {
        let said = b"3 /a folder\0/bin:/usr/bin\0HOME\nx\0cd\nmine\n__agentsh\x0012\n\0next";
        for end in 0..said.len() - 4 {
            assert_eq!(Report::parse(&said[..end]), None);
        }
        let names = Names::new("/bin:/usr/bin", "HOME\nx", "cd\nmine");
        let report = Report {
            status: 3,
            folder: "/a folder".to_owned(),
            names,
            stopped: 1,
        };
        assert_eq!(Report::parse(said), Some((report, said.len() - 4)));
    }
}
