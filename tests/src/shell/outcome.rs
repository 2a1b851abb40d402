use std::collections::BTreeMap;

use crate::{Result, fail};

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    Exit(i32),
    Signal { number: i32, core: bool },
}

/// What a run left.
#[derive(Clone, PartialEq, Eq)]
pub struct Outcome {
    pub pid: i32,
    pub ended: Ended,
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
    /// What was written to descriptors above 2.
    pub extra: BTreeMap<i32, Vec<u8>>,
}

impl Outcome {
    /// Standard output as text.
    pub fn out(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// Standard error as text.
    pub fn err(&self) -> String {
        String::from_utf8_lossy(&self.stderr).into_owned()
    }

    /// An error unless the run ended with `status`.
    pub fn expect_exit(&self, status: i32, what: &str) -> Result<&Outcome> {
        match self.ended == Ended::Exit(status) {
            true => Ok(self),
            false => Err(fail(format!("{what}: expected exit {status}: {self:?}"))),
        }
    }

    /// An error unless the run ended with 0.
    pub fn expect_success(&self, what: &str) -> Result<&Outcome> {
        self.expect_exit(0, what)
    }

    /// An error unless standard output is `out`.
    pub fn expect_out(&self, out: &str) -> Result<&Outcome> {
        match self.out() == out {
            true => Ok(self),
            false => Err(fail(format!("expected {out:?}: {self:?}"))),
        }
    }

    /// Standard output as JSON.
    pub fn json<T: serde::de::DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_slice(&self.stdout).map_err(|error| fail(format!("{error}: {self:?}")))
    }
}

impl std::fmt::Debug for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let short = |bytes: &[u8]| {
            let cut = &bytes[..bytes.len().min(4000)];
            format!(
                "{}{}",
                String::from_utf8_lossy(cut),
                if cut.len() < bytes.len() { "…" } else { "" }
            )
        };
        write!(
            f,
            "{:?}\n--- stdout\n{}\n--- stderr\n{}",
            self.ended,
            short(&self.stdout),
            short(&self.stderr)
        )?;
        for (fd, bytes) in &self.extra {
            write!(f, "\n--- {fd}\n{}", short(bytes))?;
        }
        Ok(())
    }
}
