use std::io::{self, Write};

use crate::event::Event;

/// The columns of [`write_csv`].
const COLUMNS: &str = "seq,ts,type,session_id,command_id,pid,ppid,exe,argv,operation,path,path2,domain,remote,signal,\
decision,effective,rule,message,layer,result,count";

/// Writes events as JSON Lines, with the members that the record has.
pub fn write_json_lines<'e>(out: &mut impl Write, events: impl IntoIterator<Item = &'e Event>) -> io::Result<()> {
    for event in events {
        serde_json::to_writer(&mut *out, event)?;
        out.write_all(b"\n")?;
    }
    Ok(())
}

/// Writes events as CSV (RFC 4180) with a head line. Bytes that are not UTF-8 and control characters are escaped as in
/// Rust source; arguments are a JSON list.
pub fn write_csv<'e>(out: &mut impl Write, events: impl IntoIterator<Item = &'e Event>) -> io::Result<()> {
    write!(out, "{COLUMNS}\r\n")?;
    for event in events {
        let policy = event.policy.as_ref();
        let cells = [
            event.seq.to_string(),
            event.ts.clone(),
            event.kind.to_string(),
            event.session_id.clone(),
            event.command_id.clone().unwrap_or_default(),
            number(event.pid),
            number(event.ppid),
            bytes(event.exe.as_ref()),
            event
                .argv
                .as_ref()
                .map(serde_json::to_string)
                .transpose()?
                .unwrap_or_default(),
            event.operation.clone().unwrap_or_default(),
            bytes(event.path.as_ref()),
            bytes(event.path2.as_ref()),
            event.domain.clone().unwrap_or_default(),
            event.remote.clone().unwrap_or_default(),
            number(event.signal),
            policy.map_or("", |policy| policy.decision.word()).to_owned(),
            policy.map_or("", |policy| policy.effective.word()).to_owned(),
            policy.and_then(|policy| policy.rule.clone()).unwrap_or_default(),
            policy.and_then(|policy| policy.message.clone()).unwrap_or_default(),
            event.layer.map_or("", crate::Layer::as_str).to_owned(),
            event.result.clone().unwrap_or_default(),
            event.count.to_string(),
        ];
        let row: Vec<String> = cells.iter().map(|cell| quoted(cell)).collect();
        write!(out, "{}\r\n", row.join(","))?;
    }
    Ok(())
}

fn number(value: Option<i32>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

fn bytes(value: Option<&agentsh_protocol::Bytes>) -> String {
    let Some(value) = value else { return String::new() };
    match std::str::from_utf8(&value.0) {
        Ok(text) if !text.contains(char::is_control) => text.to_owned(),
        _ => value.0.escape_ascii().to_string(),
    }
}

/// A cell that a spreadsheet would run as a formula gets a quote before it: the agent chooses file names.
fn quoted(cell: &str) -> String {
    let guard = if cell.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        "'"
    } else {
        ""
    };
    if guard.is_empty() && !cell.contains([',', '"', '\n', '\r']) {
        return cell.to_owned();
    }
    format!("\"{guard}{}\"", cell.replace('"', "\"\""))
}
