//! Readers of records. They need no broker and change nothing; a line that is no event is told with file and line.

mod commands;
mod export;
mod filter;
mod lines;
mod llm;
mod query;
mod summary;
mod tail;
mod verify;

pub use commands::commands;
pub use export::{write_csv, write_json_lines};
pub use filter::{Filter, PathFilter};
pub use lines::ReadProblem;
pub use llm::llm_use;
pub use query::{Found, Order, for_each, query};
pub use summary::{Summary, summarize};
pub use tail::{Start, Step, Tail};
pub use verify::{Finding, FindingKind, Verdict, verify, verify_all, verify_kept};
