//! Bytes with a sum over them: a disk that gives back other bytes than it was given is noticed. SQLite looks after the
//! order of its pages and not after what is in them; a flipped bit in a count would be another count.

const SUM_BYTES: usize = 4;

/// CRC-32 over all of `bytes`, at their end (little endian).
pub fn seal(mut bytes: Vec<u8>) -> Vec<u8> {
    let sum = crc32fast::hash(&bytes);
    bytes.extend(sum.to_le_bytes());
    bytes
}

/// What was sealed, when it is what it was.
pub fn unseal(sealed: &[u8]) -> Option<&[u8]> {
    let (bytes, sum) = sealed.split_last_chunk::<SUM_BYTES>()?;
    (crc32fast::hash(bytes).to_le_bytes() == *sum).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::{seal, unseal};

    #[test]
    fn any_flipped_bit_and_any_missing_byte_is_noticed() {
        let sealed = seal(b"counts".to_vec());
        assert_eq!(unseal(&sealed), Some(&b"counts"[..]));
        for bit in 0..sealed.len() * 8 {
            let mut flipped = sealed.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(unseal(&flipped), None, "bit {bit}");
        }
        for length in 0..sealed.len() {
            assert_eq!(unseal(&sealed[..length]), None, "{length} bytes");
        }
        assert_eq!(unseal(&vec![0; 512]), None, "a sector of zeros is no body");
    }
}
