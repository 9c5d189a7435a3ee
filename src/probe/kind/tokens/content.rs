//! Whether a file holds a whole credential.

use serde::de::IgnoredAny;

/// What is shared by all tokens' files: one word. Credentials of other makes may be JSON or PEM (a service account, a
/// key), which have an end that a torn write lacks.
///
/// `Ok`: the credential, without the white space at its ends. `Err`: why it is none, as a sentence after its name.
/// Never the value.
pub fn whole(bytes: &[u8], is_token: bool) -> Result<&str, &'static str> {
    if bytes.contains(&0) {
        return Err("holds NUL bytes: its writing was cut short");
    }
    let text = str::from_utf8(bytes).map_err(|_| "is not UTF-8 text")?;
    if text.starts_with('\u{feff}') {
        return Err("begins with a byte order mark, which its readers take for a part of it");
    }
    let text = text.trim();
    if text.is_empty() {
        return Err("is empty");
    }
    if !is_token && text.starts_with(['{', '[']) {
        let read = serde_json::from_str::<IgnoredAny>(text);
        return read.map(|_| text).map_err(|_| "is JSON that ends too early");
    }
    if !is_token && text.starts_with("-----BEGIN ") {
        let last = text.lines().next_back().unwrap_or_default();
        let ends = last.starts_with("-----END ") && last.ends_with("-----");
        return if ends {
            Ok(text)
        } else {
            Err("is a PEM block without its end")
        };
    }
    if text.contains(['\n', '\r']) {
        return Err("has several lines; it must hold one secret and no more");
    }
    if text.chars().any(char::is_control) {
        return Err("holds control characters");
    }
    if text.chars().any(char::is_whitespace) {
        return Err("has white space inside");
    }
    // What a script writes when its vault gave nothing; a gateway refuses to start with these.
    if matches!(text, "undefined" | "null") {
        return Err("holds no secret but the word for none");
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_one_word_and_may_end_with_a_line_feed() {
        for good in ["s3cret", "s3cret\n", " s3cret \r\n", "a+/=._-~", "sécret", "null0"] {
            assert_eq!(whole(good.as_bytes(), true), Ok(good.trim()));
        }
        for (bad, why) in [
            (&b""[..], "is empty"),
            (b" \n\t", "is empty"),
            (b"s3cr\0\0\0\0", "NUL"),
            (b"\0", "NUL"),
            (b"s3c\xff\xfe", "not UTF-8"),
            (b"s3cret\nolder\n", "several lines"),
            (b"s3cret\rolder", "several lines"),
            (b"s3cret older", "white space inside"),
            ("s3cret\u{a0}older".as_bytes(), "white space inside"),
            (b"s3\x1b[0m", "control"),
            ("\u{feff}s3cret".as_bytes(), "byte order mark"),
            (b"undefined\n", "the word for none"),
            (b"null", "the word for none"),
            (b"{\"a\": 1}", "white space inside"),
            (b"-----BEGIN X-----\nx\n-----END X-----", "several lines"),
        ] {
            let error = whole(bad, true).unwrap_err();
            assert!(error.contains(why), "{bad:?}: {error}");
            assert!(!error.contains("s3c") && !error.contains("older"), "{error}");
        }
    }

    #[test]
    fn other_credentials_may_be_json_or_pem_if_they_are_whole() {
        for good in [
            "{\"type\": \"service_account\",\n \"key\": \"-----BEGIN\"}\n",
            "[1]",
            "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
            "xoxb-1-2",
        ] {
            assert!(whole(good.as_bytes(), false).is_ok(), "{good}");
        }
        for (bad, why) in [
            ("{\"type\": \"service_acc", "JSON that ends too early"),
            ("{}{}", "JSON that ends too early"),
            ("-----BEGIN PRIVATE KEY-----\nAAAA\n", "without its end"),
            ("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIV", "without its end"),
            ("xoxb-1-2\nxoxb-1-3", "several lines"),
        ] {
            assert!(whole(bad.as_bytes(), false).unwrap_err().contains(why), "{bad}");
        }
    }
}
