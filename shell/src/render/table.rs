//! Columns.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::{Style, visible};

/// Rows of cells under headings. Cells are shown with control characters made visible.
#[derive(Debug)]
pub struct Table {
    headings: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub fn new(headings: &[&'static str]) -> Table {
        Table {
            headings: headings.to_vec(),
            rows: Vec::new(),
        }
    }

    /// Adds a row, of as many cells as there are headings.
    pub fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells.iter().map(|cell| visible(cell)).collect());
    }

    /// The table as text; lines are cut at `width` columns if one is given.
    pub fn render(&self, style: Style, width: Option<usize>) -> String {
        let widths: Vec<usize> = (0..self.headings.len()).map(|column| self.width_of(column)).collect();
        let headings: Vec<String> = self.headings.iter().map(|heading| (*heading).to_owned()).collect();
        let mut text = style.bold(&line(&headings, &widths, width)) + "\n";
        for row in &self.rows {
            text += &(line(row, &widths, width) + "\n");
        }
        text
    }

    fn width_of(&self, column: usize) -> usize {
        let cells = self
            .rows
            .iter()
            .filter_map(|row| row.get(column))
            .map(|cell| cell.width());
        cells
            .chain(self.headings.get(column).map(|heading| heading.width()))
            .max()
            .unwrap_or(0)
    }
}

fn line(cells: &[String], widths: &[usize], limit: Option<usize>) -> String {
    let mut text = String::new();
    for (cell, width) in cells.iter().zip(widths) {
        text += cell;
        text += &" ".repeat(width - cell.width().min(*width) + 2);
    }
    let text = text.trim_end();
    match limit {
        Some(limit) if text.width() > limit => cut(text, limit),
        _ => text.to_owned(),
    }
}

/// At most `limit` columns of `text`, the last an ellipsis.
fn cut(text: &str, limit: usize) -> String {
    let mut shown = String::new();
    let mut columns = 1;
    for c in text.chars() {
        columns += c.width().unwrap_or(0);
        if columns > limit {
            break;
        }
        shown.push(c);
    }
    shown + "…"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::new(&["ID", "NAME", "WORKSPACE"]);
        table.row(vec!["0199".into(), "größe".into(), "/home/a/project".into()]);
        table.row(vec!["0199aa".into(), "日本".into(), "/\x1b[2J".into()]);
        table
    }

    #[test]
    fn columns_are_aligned_by_what_is_seen() {
        insta::assert_snapshot!(table().render(Style::new(false), None), @r"
        ID      NAME   WORKSPACE
        0199    größe  /home/a/project
        0199aa  日本   /\x1b[2J
        ");
    }

    #[test]
    fn a_narrow_terminal_cuts_lines_and_a_pipe_does_not() {
        insta::assert_snapshot!(table().render(Style::new(false), Some(18)), @r"
        ID      NAME   WO…
        0199    größe  /h…
        0199aa  日本   /\…
        ");
    }
}
