use super::*;

fn found(inode: u64, size: u64, head: &[u8]) -> Found<'_> {
    Found {
        device: 1,
        inode,
        size,
        head,
    }
}

/// A position that has read `offset` bytes of the file with inode 7.
fn read(offset: u64, head: &[u8]) -> Position {
    let mut position = Position::default();
    let mark = position.resume(found(7, offset, head));
    position.advance(Mark { offset, ..mark });
    position
}

#[test]
fn a_grown_file_is_read_on_and_its_longer_head_is_remembered() {
    let mut position = read(4, b"abc\n");
    assert_eq!(position.resume(found(7, 8, b"abc\ndef\n")).offset, 4);
    assert_eq!(
        position.resume(found(7, 8, b"abc\nDEF\n")).offset,
        0,
        "its head is another one now"
    );
}

#[test]
fn an_emptied_a_reused_and_a_new_file_are_read_from_their_beginning() {
    assert_eq!(read(4, b"abc\n").resume(found(7, 2, b"ab")).offset, 0, "emptied");
    assert_eq!(read(4, b"abc\n").resume(found(7, 9, b"xyz\n12345")).offset, 0, "reused");
    assert_eq!(read(4, b"abc\n").resume(found(8, 4, b"abc\n")).offset, 0, "new");
}

#[test]
fn a_file_that_was_there_before_us_counts_as_read() {
    let mut position = Position::default();
    position.pass(found(7, 4, b"abc\n"));
    assert!(position.is_read(1, 7, 4) && !position.is_read(1, 7, 5) && !position.is_read(2, 7, 4));
    assert_eq!(position.resume(found(7, 8, b"abc\ndef\n")).offset, 4);
}

#[test]
fn a_kept_position_is_the_same_again_and_other_text_is_none() {
    let mut position = read(u64::MAX, b"abc\n");
    position.pass(found(u64::MAX, 4, b""));
    assert_eq!(Position::parse(&position.body()), Some(position));
    assert_eq!(Position::parse("{}"), None);
    assert_eq!(Position::parse(""), None);
}

#[test]
fn the_files_seen_last_are_remembered() {
    let mut position = Position::default();
    for inode in 0..u64::try_from(MARKS_MAX).unwrap() {
        position.pass(found(inode, 4, b""));
    }
    position.resume(found(0, 4, b""));
    position.pass(found(1000, 4, b""));
    assert!(position.is_read(1, 0, 4), "it was seen again");
    assert!(!position.is_read(1, 1, 4), "the one seen longest ago is forgotten");
    assert!(position.is_read(1, 1000, 4));
}
