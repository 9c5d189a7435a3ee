//! Rows and columns, fitted to the columns of a terminal. Pure.

use std::collections::BTreeMap;

use super::sheet::{Sheet, Span, Tone, columns as columns_of};

/// Between two columns.
const GAP: usize = 2;
/// A column that gives way keeps as much before one that may be left out is.
const COMFORT: usize = 20;
/// And at the worst as much.
const CUT_WIDTH_MIN: usize = 6;

/// What a column does where a terminal is too narrow for all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fit {
    Kept,
    Cut,
    /// Left out, the rightmost first.
    Dropped,
}

#[derive(Clone, Copy, Debug)]
pub struct Column {
    pub head: &'static str,
    pub fit: Fit,
    /// Numbers stand at the right.
    pub right: bool,
}

/// Rows under a head.
#[derive(Debug)]
pub struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<Span>>,
    /// A line below a row, by the row's number.
    beneath: BTreeMap<usize, Span>,
}

impl Column {
    pub const fn new(head: &'static str, fit: Fit) -> Column {
        Column {
            head,
            fit,
            right: false,
        }
    }

    pub const fn number(head: &'static str, fit: Fit) -> Column {
        Column { head, fit, right: true }
    }
}

impl Table {
    pub fn new<const N: usize>(columns: [Column; N]) -> Table {
        Table {
            columns: columns.to_vec(),
            rows: Vec::new(),
            beneath: BTreeMap::new(),
        }
    }

    pub fn row<const N: usize>(&mut self, cells: [Span; N]) {
        self.rows.push(cells.to_vec());
    }

    /// A line of its own below the last row.
    pub fn beneath(&mut self, line: Span) {
        if let Some(row) = self.rows.len().checked_sub(1) {
            self.beneath.insert(row, line);
        }
    }

    /// Adds the head and all rows to the sheet.
    pub fn draw(mut self, sheet: &mut Sheet) {
        let widths = match sheet.width() {
            Some(width) => self.fitted(width),
            None => self.widths(),
        };
        let head = self.columns.iter().map(|column| Span::new(column.head, Tone::Faint));
        self.rows.insert(0, head.collect());
        // The head is the first of them.
        for (nth, row) in self.rows.into_iter().enumerate() {
            let mut spans: Vec<Span> = Vec::new();
            for ((column, mut cell), width) in self.columns.iter().zip(row).zip(&widths) {
                cell.cut(*width);
                let padding = Span::from(" ".repeat(width.saturating_sub(cell.columns())));
                let gap = Span::from(" ".repeat(if spans.is_empty() { 0 } else { GAP }));
                match column.right {
                    true => spans.extend([gap, padding, cell]),
                    false => spans.extend([gap, cell, padding]),
                }
            }
            // What pads the last column is nothing to see.
            if spans.last().is_some_and(|last| last.is_blank()) {
                spans.pop();
            }
            sheet.line(spans);
            if let Some(line) = nth.checked_sub(1).and_then(|row| self.beneath.remove(&row)) {
                sheet.line(["  ".into(), line]);
            }
        }
    }

    /// Leaves columns out and narrows others until the rest fits; the widths.
    fn fitted(&mut self, width: usize) -> Vec<usize> {
        let mut widths = self.widths();
        let needed = |columns: &[Column], widths: &[usize]| {
            let each = columns.iter().zip(widths).map(|(column, width)| match column.fit {
                Fit::Cut => (*width).min(COMFORT),
                _ => *width,
            });
            each.sum::<usize>() + GAP * columns.len().saturating_sub(1)
        };
        while needed(&self.columns, &widths) > width {
            let Some(at) = self.columns.iter().rposition(|column| column.fit == Fit::Dropped) else {
                break;
            };
            self.columns.remove(at);
            widths.remove(at);
            self.rows.iter_mut().for_each(|row| drop(row.remove(at)));
        }
        let gaps = GAP * self.columns.len().saturating_sub(1);
        while widths.iter().sum::<usize>() + gaps > width {
            let giving = self.columns.iter().zip(&mut widths);
            let giving = giving.filter(|(column, width)| column.fit == Fit::Cut && **width > CUT_WIDTH_MIN);
            let Some((_, widest)) = giving.max_by_key(|(_, width)| **width) else {
                break;
            };
            *widest -= 1;
        }
        widths
    }

    fn widths(&self) -> Vec<usize> {
        let cells = |at: usize| self.rows.iter().filter_map(move |row| row.get(at)).map(Span::columns);
        let columns = self.columns.iter().enumerate();
        columns
            .map(|(at, column)| cells(at).max().unwrap_or(0).max(columns_of(column.head)))
            .collect()
    }
}

/// Rows of cells as they are, the first row a head. The last column is not padded.
pub fn columns(rows: &[Vec<String>]) -> String {
    let count = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| columns_of(cell)).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..count).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (column, cell) in row.iter().enumerate() {
            line.push_str(cell);
            if column + 1 < row.len() {
                let padding = widths[column].saturating_sub(columns_of(cell)) + GAP;
                line.extend(std::iter::repeat_n(' ', padding));
            }
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    const LONG: &str = "refused by 127.0.0.1:18789, as it was all morning";

    fn check(width: Option<usize>, expected: Expect) {
        let mut table = Table::new([
            Column::new("LEVEL", Fit::Kept),
            Column::number("COUNT", Fit::Kept),
            Column::new("SUMMARY", Fit::Cut),
            Column::new("AGE", Fit::Dropped),
        ]);
        table.row(["down".into(), "512".into(), LONG.into(), "2 s".into()]);
        table.row(["ok".into(), "0".into(), "日本語".into(), "119 min".into()]);
        let mut sheet = Sheet::new(width);
        table.draw(&mut sheet);
        expected.assert_eq(&sheet.text(false));
    }

    #[test]
    fn nothing_is_cut_where_no_terminal_reads_it() {
        check(
            None,
            expect![[r#"
                LEVEL  COUNT  SUMMARY                                            AGE
                down     512  refused by 127.0.0.1:18789, as it was all morning  2 s
                ok         0  日本語                                             119 min
            "#]],
        );
    }

    #[test]
    fn one_column_gives_way_to_the_terminals_width() {
        check(
            Some(52),
            expect![[r#"
                LEVEL  COUNT  SUMMARY                        AGE
                down     512  refused by 127.0.0.1:18789, …  2 s
                ok         0  日本語                         119 min
            "#]],
        );
    }

    #[test]
    fn then_another_is_left_out_and_a_very_narrow_terminal_still_shows_the_beginning() {
        check(
            Some(36),
            expect![[r#"
                LEVEL  COUNT  SUMMARY
                down     512  refused by 127.0.0.1:…
                ok         0  日本語
            "#]],
        );
        check(
            Some(18),
            expect![[r#"
                LEVEL  COUNT  SUM…
                down     512  ref…
                ok         0  日…
            "#]],
        );
    }
}
