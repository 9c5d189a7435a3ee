//! Redaction and cleaning: what was made harmless is harmless, and stays what it is when it is done again.

use readyd::words::{Wall, redact, text};

pub fn run(data: &[u8]) {
    let (bytes_max, data) = super::chosen(data);
    let Ok(said) = std::str::from_utf8(data) else { return };
    let bytes_max = usize::from(bytes_max);

    for clean in [text::clean(said, bytes_max), text::clean_line(said, bytes_max)] {
        assert!(clean.len() <= bytes_max);
        assert!(
            !clean
                .chars()
                .any(|character| character != '\n' && text::is_harmful(character))
        );
        assert_eq!(text::clean(&clean, bytes_max), clean);
    }
    let line = text::clean_line(said, usize::MAX);
    let once = redact::finding(&line);
    assert_eq!(redact::finding(&once), once, "redacted twice");
    if let Some(error) = redact::error(said, bytes_max % 2 == 1) {
        assert!(error.len() <= redact::ERROR_BYTES_MAX && !error.chars().any(text::is_harmful));
    }
    if let Some(id) = redact::id(said) {
        assert!(id.len() <= redact::ID_BYTES_MAX && !id.chars().any(text::is_harmful));
        assert_eq!(redact::id(&id).as_deref(), Some(&*id));
    }
    let name = redact::name(&line, 512, true);
    assert!(name.len() <= 512);
    units(said);
}

/// What is written is read as itself.
fn units(said: &str) {
    use readyd::config::units;
    if let Some(duration) = units::duration(said) {
        assert_eq!(units::duration(&units::write_duration(duration)), Some(duration));
    }
    if let Some(size) = units::size(said) {
        assert_eq!(units::size(&units::write_size(size)), Some(size));
    }
    if let Some(wall) = Wall::parse_query(said) {
        let written = wall.rfc3339();
        let read = Wall::parse_rfc3339(&written);
        assert_eq!(read.map(Wall::as_secs), Some(wall.as_secs()), "{written}");
    }
}
