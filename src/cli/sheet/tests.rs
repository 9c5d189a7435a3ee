//! What is wrapped, what is cut, and what a wide character costs.

use super::*;

#[test]
fn a_wide_character_takes_two_columns_and_a_combining_one_none() {
    assert_eq!(columns("日本"), 4);
    assert_eq!(columns("e\u{301}"), 1);
    assert_eq!(cut("日本語", 5), "日本…");
    assert_eq!(cut("日本語", 4), "日…", "half a character is not shown");
    assert_eq!(cut("日本語", 6), "日本語");
    assert_eq!(cut("crm", 0), "");
}

#[test]
fn lines_break_between_words_and_long_words_anywhere() {
    assert_eq!(wrap("agent database refused", 14, 9), ["agent database", "refused"]);
    assert_eq!(wrap("agent database refused", 13, 9), ["agent", "database", "refused"]);
    assert_eq!(
        wrap("/srv/a-long-path/of-many", 10, 9),
        ["/srv/a-lon", "g-path/of-", "many"]
    );
    assert_eq!(wrap("a b c d", 1, 2), ["a", "…"]);
    assert_eq!(
        wrap("日本", 1, 9),
        ["日", "本"],
        "wider than the terminal: it ends all the same"
    );
    assert_eq!(wrap("", 10, 9), [""]);
}

#[test]
fn no_line_is_wider_than_the_terminal() {
    for width in 1..60 {
        let mut sheet = Sheet::new(Some(width));
        sheet.line(["degraded  ".into(), Span::new("日本語のノード", Tone::Strong)]);
        let body = Span::from("crm ×512 in 5 min, 日本語 and a-very-long-word-that-does-not-fit-anywhere");
        sheet.paragraph(Span::state("down"), 10, &body, 3);
        for line in sheet.lines(false) {
            assert!(columns(&line) <= width, "{width}: {line:?}");
        }
    }
}

#[test]
fn colour_is_put_around_what_is_shown_and_counts_nothing() {
    let mut sheet = Sheet::new(Some(6));
    sheet.line([Span::state("down"), "  ".into(), "gateway".into()]);
    assert_eq!(sheet.lines(true), ["\u{1b}[1;31mdown\u{1b}[0m"]);
    assert_eq!(sheet.lines(false), ["down"]);
}

#[test]
fn what_moves_a_cursor_is_not_written_whoever_sent_it() {
    let mut sheet = Sheet::new(None);
    sheet.line([Span::from("a\u{1b}[2Jb\rc\u{202e}d")]);
    assert_eq!(sheet.text(true), "a[2Jbcd\n");
}
