//! Shell: text for people, in columns, coloured when a terminal reads it.

use std::io::IsTerminal as _;

/// A column that gives way to a narrow terminal keeps as much.
const CUT_WIDTH_MIN: usize = 16;
/// Of a terminal that does not say how wide it is.
const TERMINAL_WIDTH: usize = 80;
/// Between two columns.
const GAP: usize = 2;

/// Characters that a line of standard output holds; `None` when no terminal reads it: nothing is cut then.
pub fn width() -> Option<usize> {
    let out = std::io::stdout();
    if !out.is_terminal() {
        return None;
    }
    let columns = rustix::termios::tcgetwinsize(&out).map_or(0, |size| usize::from(size.ws_col));
    Some(if columns == 0 { TERMINAL_WIDTH } else { columns })
}

/// As [`columns`], in lines of at most `width` where cutting the column `giving_way` makes that possible.
pub fn fitted(mut rows: Vec<Vec<String>>, giving_way: usize, width: Option<usize>) -> String {
    if let Some(width) = width {
        let others: usize = widths(&rows)
            .iter()
            .enumerate()
            .filter(|(column, _)| *column != giving_way)
            .map(|(_, width)| width + GAP)
            .sum();
        let left = width.saturating_sub(others).max(CUT_WIDTH_MIN);
        for cell in rows.iter_mut().filter_map(|row| row.get_mut(giving_way)) {
            *cell = cut(cell, left);
        }
    }
    columns(&rows)
}

/// Rows of cells, the first row a head. The last column is not padded.
pub fn columns(rows: &[Vec<String>]) -> String {
    let widths = widths(rows);
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (column, cell) in row.iter().enumerate() {
            line.push_str(cell);
            if column + 1 < row.len() {
                let padding = widths[column].saturating_sub(cell.chars().count()) + GAP;
                line.extend(std::iter::repeat_n(' ', padding));
            }
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// Puts the colour of a status or level on whole lines that begin with it.
pub fn coloured(text: &str) -> String {
    if !std::io::stdout().is_terminal() {
        return text.to_string();
    }
    let mut out = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        match line.split_whitespace().next().and_then(colour) {
            Some(code) => {
                let word = line.split_whitespace().next().unwrap_or_default();
                let (head, tail) = line.split_at(line.find(word).unwrap_or(0) + word.len());
                out.push_str(&format!("\u{1b}[{code}m{head}\u{1b}[0m{tail}"));
            }
            None => out.push_str(line),
        }
    }
    out
}

/// `text` cut to `width` characters, the last an ellipsis.
pub fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_string();
    }
    let mut short: String = text.chars().take(width.saturating_sub(1)).collect();
    short.push('…');
    short
}

fn widths(rows: &[Vec<String>]) -> Vec<usize> {
    let count = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter()
            .filter_map(|row| row.get(column))
            .map(|cell| cell.chars().count())
            .max()
            .unwrap_or(0)
    };
    (0..count).map(width).collect()
}

fn colour(word: &str) -> Option<&'static str> {
    match word {
        "ok" => Some("32"),
        "degraded" | "starting" | "pending" | "unknown" => Some("33"),
        "down" | "draining" => Some("31"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    const LONG: &str = "refused by 127.0.0.1:18789, as it was all morning";

    fn check(giving_way: usize, width: Option<usize>, expected: Expect) {
        let row = |cells: [&str; 3]| cells.map(String::from).to_vec();
        let rows = vec![row(["LEVEL", "SUMMARY", "AGE"]), row(["down", LONG, "2s"])];
        expected.assert_eq(&fitted(rows, giving_way, width));
    }

    #[test]
    fn nothing_is_cut_where_no_terminal_reads_it() {
        check(
            1,
            None,
            expect![[r#"
                LEVEL  SUMMARY                                            AGE
                down   refused by 127.0.0.1:18789, as it was all morning  2s
            "#]],
        );
    }

    #[test]
    fn one_column_gives_way_to_the_terminals_width() {
        check(
            1,
            Some(40),
            expect![[r#"
                LEVEL  SUMMARY                       AGE
                down   refused by 127.0.0.1:18789,…  2s
            "#]],
        );
    }

    #[test]
    fn a_very_narrow_terminal_still_shows_the_beginning_of_it() {
        check(
            1,
            Some(5),
            expect![[r#"
                LEVEL  SUMMARY           AGE
                down   refused by 127.…  2s
            "#]],
        );
    }
}
