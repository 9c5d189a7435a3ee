//! Text for people as lines of spans, each with its meaning, fitted to the columns of a terminal. Pure.
//!
//! Invariant: where a width is given, no line is wider. What cannot be wrapped is cut, and ends in `…`.

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use crate::words::text::is_harmful;

/// What a piece of text means; a terminal shows it as a colour, a pipe not at all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tone {
    #[default]
    Plain,
    Good,
    Poor,
    Bad,
    /// Beside the point.
    Faint,
    /// A head, or what the eye should find first.
    Strong,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Span {
    text: String,
    tone: Tone,
}

/// Lines from top to bottom.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sheet {
    /// Columns of the terminal; `None` where none reads it: nothing is wrapped or cut then.
    width: Option<usize>,
    lines: Vec<Vec<Span>>,
}

impl Tone {
    /// Of a verdict, a level, or a phase.
    pub fn of(word: &str) -> Tone {
        match word {
            "ok" | "serving" => Tone::Good,
            "degraded" | "starting" | "pending" | "unknown" | "maintenance" => Tone::Poor,
            "down" | "draining" | "drained" => Tone::Bad,
            _ => Tone::Plain,
        }
    }

    const fn code(self) -> &'static str {
        match self {
            Tone::Plain => "",
            Tone::Good => "32",
            Tone::Poor => "33",
            Tone::Bad => "1;31",
            Tone::Faint => "2",
            Tone::Strong => "1",
        }
    }
}

impl Span {
    /// Characters that could move a terminal's cursor are left out, whoever sent them.
    pub fn new(text: impl AsRef<str>, tone: Tone) -> Span {
        let text = text.as_ref().chars().filter(|character| !is_harmful(*character));
        Span {
            text: text.collect(),
            tone,
        }
    }

    /// A verdict, level or phase in its own tone.
    pub fn state(word: &str) -> Span {
        Span::new(word, Tone::of(word))
    }

    pub fn columns(&self) -> usize {
        columns(&self.text)
    }

    pub fn is_blank(&self) -> bool {
        self.text.trim().is_empty()
    }

    pub fn cut(&mut self, width: usize) {
        self.text = cut(&self.text, width);
    }
}

impl From<&str> for Span {
    fn from(text: &str) -> Span {
        Span::new(text, Tone::Plain)
    }
}

impl From<String> for Span {
    fn from(text: String) -> Span {
        Span::new(text, Tone::Plain)
    }
}

impl Sheet {
    pub fn new(width: Option<usize>) -> Sheet {
        Sheet {
            width,
            lines: Vec::new(),
        }
    }

    pub fn width(&self) -> Option<usize> {
        self.width
    }

    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// An empty line, between two things.
    pub fn gap(&mut self) {
        self.lines.push(Vec::new());
    }

    /// One line, cut where it is too long.
    pub fn line(&mut self, spans: impl IntoIterator<Item = Span>) {
        let mut left = self.width.unwrap_or(usize::MAX);
        let mut line: Vec<Span> = Vec::new();
        for mut span in spans {
            if left == 0 {
                break;
            }
            span.cut(left);
            left -= span.columns();
            line.push(span);
        }
        if let Some(last) = line.last_mut() {
            last.text.truncate(last.text.trim_end().len());
        }
        self.lines.push(line);
    }

    /// `head` in a column of `indent`, and beside it `body` in as many lines as it takes, at most `lines_max`.
    pub fn paragraph(&mut self, head: Span, indent: usize, body: &Span, lines_max: usize) {
        let room = self.width.map(|width| width.saturating_sub(indent).max(1));
        let lines = match room {
            Some(room) => wrap(&body.text, room, lines_max),
            None => vec![body.text.clone()],
        };
        let mut head = Some(head);
        for line in lines {
            let head = head.take().unwrap_or_default();
            let padding = " ".repeat(indent.saturating_sub(head.columns()));
            self.line([head, padding.into(), Span::new(line, body.tone)]);
        }
    }

    /// Lines as they are, a level or verdict at the beginning of one in its tone.
    pub fn of_lines(text: &str) -> Sheet {
        let mut sheet = Sheet::new(None);
        for line in text.lines() {
            let begins = line.find(|character: char| !character.is_whitespace()).unwrap_or(0);
            let ends = line[begins..]
                .find(char::is_whitespace)
                .map_or(line.len(), |end| begins + end);
            let (word, rest) = line.split_at(ends);
            sheet.line([Span::new(word, Tone::of(word.trim())), rest.into()]);
        }
        sheet
    }

    pub fn extend(&mut self, more: Sheet) {
        self.lines.extend(more.lines);
    }

    /// Each line as it is written to a terminal.
    pub fn lines(&self, coloured: bool) -> Vec<String> {
        let written = |span: &Span| match span.tone.code() {
            code if coloured && !code.is_empty() && !span.is_blank() => {
                format!("\u{1b}[{code}m{}\u{1b}[0m", span.text)
            }
            _ => span.text.clone(),
        };
        let line = |line: &Vec<Span>| line.iter().map(written).collect::<String>();
        self.lines.iter().map(line).collect()
    }

    pub fn text(&self, coloured: bool) -> String {
        self.lines(coloured).iter().map(|line| format!("{line}\n")).collect()
    }
}

/// Columns that a terminal gives `text`: two for a wide character, none for a combining one.
pub fn columns(text: &str) -> usize {
    text.width()
}

/// `text` cut to `width` columns, the last an ellipsis.
pub fn cut(text: &str, width: usize) -> String {
    if columns(text) <= width {
        return text.to_owned();
    }
    let (mut short, _) = split(text, width.saturating_sub(1));
    if width > 0 {
        short.push('…');
    }
    short
}

/// `text` in lines of at most `width` columns, broken between words where that is possible; the last of `lines_max`
/// lines is cut.
pub fn wrap(text: &str, width: usize, lines_max: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        if columns(rest) <= width || lines.len() + 1 >= lines_max {
            lines.push(cut(rest, width));
            return lines;
        }
        let (fits, beyond) = split(rest, width);
        let at_a_word = match beyond.starts_with(' ') {
            true => Some(fits.len()),
            false => fits.rfind(' '),
        };
        // A character wider than the terminal goes alone: it must not be asked for for ever.
        let one = rest.chars().next().map_or(0, char::len_utf8);
        let end = at_a_word.filter(|end| *end > 0).unwrap_or(fits.len()).max(one);
        lines.push(rest[..end].trim_end().to_owned());
        rest = rest[end..].trim_start();
    }
    if lines.is_empty() {
        lines.push(String::new());
    }
    lines
}

/// The longest beginning of at most `width` columns, and the rest.
fn split(text: &str, width: usize) -> (String, &str) {
    let mut used = 0;
    for (at, character) in text.char_indices() {
        used += character.width().unwrap_or(0);
        if used > width {
            return (text[..at].to_owned(), &text[at..]);
        }
    }
    (text.to_owned(), "")
}

#[cfg(test)]
mod tests;
