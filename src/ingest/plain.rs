//! Where the plain part of a JSON string ends: at a quote, a backslash or a control character.

/// The first of them, or `None` when there is none. Eight bytes at a time.
#[inline(always)]
pub(super) fn end(bytes: &[u8]) -> Option<usize> {
    let mut rest = bytes;
    while let Some((chunk, after)) = rest.split_first_chunk::<8>() {
        let found = special(u64::from_le_bytes(*chunk));
        if found != 0 {
            return Some(bytes.len() - rest.len() + (found.trailing_zeros() / 8) as usize);
        }
        rest = after;
    }
    let found = rest.iter().position(|byte| is_special(*byte))?;
    Some(bytes.len() - rest.len() + found)
}

/// Whether there is neither a backslash nor a control character: then every string ends at the next quote.
#[inline]
pub(super) fn is_all_plain(bytes: &[u8]) -> bool {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    const HIGHS: u64 = ONES << 7;
    // Nothing here leaves early: it is compiled to vector instructions.
    let marks = |chunk: &[u8; 8]| {
        let word = u64::from_le_bytes(*chunk);
        let backslash = word ^ (ONES * b'\\' as u64);
        (backslash.wrapping_sub(ONES) & !backslash) | (word.wrapping_sub(ONES * 0x20) & !word)
    };
    let (chunks, rest) = bytes.as_chunks();
    let found = chunks.iter().fold(0, |found, chunk| found | marks(chunk));
    let last = match bytes.last_chunk() {
        // Some of it twice: that is cheaper than byte by byte.
        Some(last) => marks(last),
        None => u64::from(rest.iter().any(|byte| *byte == b'\\' || *byte < 0x20)) << 7,
    };
    (found | last) & HIGHS == 0
}

/// The first quote, or `None` when there is none. Strings are short: sixteen bytes at a time without a call.
#[inline(always)]
pub(super) fn quote(bytes: &[u8]) -> Option<usize> {
    const ONES: u128 = u128::from_le_bytes([1; 16]);
    const HIGHS: u128 = ONES << 7;
    let mut rest = bytes;
    while let Some((chunk, after)) = rest.split_first_chunk::<16>() {
        let others = u128::from_le_bytes(*chunk) ^ (ONES * b'"' as u128);
        // Exact for the first one, as in `special`.
        let found = others.wrapping_sub(ONES) & !others & HIGHS;
        if found != 0 {
            return Some(bytes.len() - rest.len() + (found.trailing_zeros() / 8) as usize);
        }
        rest = after;
    }
    let found = rest.iter().position(|byte| *byte == b'"')?;
    Some(bytes.len() - rest.len() + found)
}

fn is_special(byte: u8) -> bool {
    matches!(byte, b'"' | b'\\' | ..0x20)
}

/// The high bit of each byte that is a quote, a backslash or below 0x20. Exact for the lowest byte
/// found, which is all that is asked; a borrow may mark bytes above it.
#[inline]
fn special(word: u64) -> u64 {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    const HIGHS: u64 = ONES << 7;
    let quote = word ^ (ONES * b'"' as u64);
    let backslash = word ^ (ONES * b'\\' as u64);
    let zeros = |bytes: u64| bytes.wrapping_sub(ONES) & !bytes;
    (zeros(quote) | zeros(backslash) | word.wrapping_sub(ONES * 0x20) & !word) & HIGHS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_search_stops_at_the_first_byte_that_it_is_for_wherever_that_is() {
        for length in 0..70 {
            for at in 0..length {
                for byte in 0..=u8::MAX {
                    let mut bytes = vec![b'x'; length];
                    bytes[at] = byte;
                    // Those behind it must not matter.
                    bytes[at + 1..].fill(b'"');
                    let next = (at + 1 < length).then_some(at + 1);
                    let first = |is_it: bool| if is_it { Some(at) } else { next };
                    let shown = format!("{byte:#x} at {at} of {length}");
                    assert_eq!(end(&bytes), first(is_special(byte)), "{shown}");
                    assert_eq!(quote(&bytes), first(byte == b'"'), "{shown}");
                    assert_eq!(is_all_plain(&bytes), byte == b'"' || !is_special(byte), "{shown}");
                }
            }
            assert_eq!(end(&vec![b'x'; length]), None);
            assert_eq!(quote(&vec![b'!'; length]), None);
        }
    }
}
