//! Text from outside (doctor, errors, plugins) is made harmless at the edge, once, here.

/// `text` without control and bidirectional characters, cut at `bytes_max` on a character's
/// boundary. Line feeds stay; tabs become spaces.
///
/// The bidirectional set is Unicode's (UAX #9): they can make a terminal or a chat show a reason
/// in another order than it was written.
pub fn clean(text: &str, bytes_max: usize) -> String {
    cleaned(text, bytes_max, '\n')
}

/// The same on one line: line feeds become spaces.
pub fn clean_line(text: &str, bytes_max: usize) -> String {
    cleaned(text.trim_end(), bytes_max, ' ')
}

fn cleaned(text: &str, bytes_max: usize, line_feed: char) -> String {
    let mut clean = String::with_capacity(text.len().min(bytes_max));
    for character in text.chars() {
        let kept = match character {
            '\n' => line_feed,
            '\t' => ' ',
            other if is_harmful(other) => continue,
            other => other,
        };
        if clean.len() + kept.len_utf8() > bytes_max {
            break;
        }
        clean.push(kept);
    }
    clean
}

/// `1 tenant`, `2 tenants`: of nouns that take an `s`.
pub fn counted(count: usize, noun: &str) -> String {
    match count {
        1 => format!("1 {noun}"),
        _ => format!("{count} {noun}s"),
    }
}

/// Whether a character is a control or a bidirectional control (or a line separator in disguise).
pub fn is_harmful(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}'
        )
}
