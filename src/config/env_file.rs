//! Shell: a tenant's environment file, read only when nobody else could have written it.
//!
//! ```text
//! # a comment
//! OPENAI_API_KEY=abc
//! export GREETING="hello \"world\""
//! RAW='as it is $HOME'
//! ```
//!
//! One `NAME=value` a line, `export` allowed, whole values in single quotes (as they are) or double
//! quotes (`\" \\ \n \t \$` are escapes). Nothing is expanded. Values are never shown.

use std::fmt;
use std::path::Path;

use rustix::fs::OFlags;

use super::files;

/// A file larger than this is not an environment file.
pub const FILE_BYTES_MAX: usize = 64 << 10;
/// Variables of one file.
pub const VARIABLES_MAX: usize = 1024;

/// What a file sets, and what of it was left out and why.
#[derive(Clone, PartialEq, Eq)]
pub struct EnvFile {
    /// In the order of the file, each name once.
    pub vars: Vec<(String, String)>,
    /// One line each; they name lines and variables, never values.
    pub notes: Vec<String>,
}

/// Reads a file that is regular, owned by root or us, writable by its owner alone, at most
/// [`FILE_BYTES_MAX`], and not a link. `Err`: why not, with the path and the next step.
pub fn read_env_file(path: &Path) -> Result<EnvFile, String> {
    let told = |why: String| format!("env file {} {why}", path.display());
    let bytes = files::read_guarded(path, OFlags::NOFOLLOW, &[], FILE_BYTES_MAX).map_err(told)?;
    let text = String::from_utf8(bytes).map_err(|_| told("is not UTF-8 text".to_owned()))?;
    Ok(parse(&text))
}

/// The variables of `text`. Lines that cannot be read and names that are not an env file's to set
/// are left out with a note.
pub fn parse(text: &str) -> EnvFile {
    let mut vars: Vec<(String, String)> = Vec::new();
    let mut notes = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let number = index + 1;
        match assignment(line) {
            Err(why) => notes.push(format!("line {number} is ignored: {why}")),
            Ok((name, _)) if is_reserved(name) => {
                notes.push(format!(
                    "line {number}: {name} is ignored: it would change what is asked, not how"
                ));
            }
            Ok(_) if vars.len() >= VARIABLES_MAX => {
                notes.push(format!(
                    "line {number} and later are ignored: more than {VARIABLES_MAX} variables"
                ));
                break;
            }
            Ok((name, value)) => {
                if let Some(known) = vars.iter_mut().find(|(known, _)| known == name) {
                    notes.push(format!("line {number}: {name} is set again; the last value counts"));
                    known.1 = value;
                } else {
                    vars.push((name.to_owned(), value));
                }
            }
        }
    }
    EnvFile { vars, notes }
}

/// `[A-Za-z_][A-Za-z0-9_]*`.
pub fn is_variable(name: &str) -> bool {
    let mut bytes = name.bytes();
    let starts = bytes
        .next()
        .is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_');
    starts && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// Whether a variable loads code into a child or tells OpenClaw which tenant it is.
pub fn is_reserved(name: &str) -> bool {
    const NAMES: [&str; 6] = [
        "NODE_OPTIONS",
        "OPENCLAW_HOME",
        "OPENCLAW_STATE_DIR",
        "OPENCLAW_CONFIG_PATH",
        "OPENCLAW_PROFILE",
        "OPENCLAW_NO_RESPAWN",
    ];
    name.starts_with("LD_") || name.starts_with("DYLD_") || NAMES.contains(&name)
}

impl fmt::Debug for EnvFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.vars.iter().map(|(name, _)| name).collect();
        f.debug_struct("EnvFile")
            .field("vars", &names)
            .field("notes", &self.notes)
            .finish()
    }
}

fn assignment(line: &str) -> Result<(&str, String), &'static str> {
    let line = line.strip_prefix("export ").unwrap_or(line).trim_start();
    let (name, value) = line.split_once('=').ok_or("it is not NAME=value")?;
    if !is_variable(name) {
        return Err("what stands before = is not a variable's name");
    }
    let value = unquoted(value)?;
    match value.contains('\0') {
        true => Err("its value holds a NUL"),
        false => Ok((name, value)),
    }
}

fn unquoted(value: &str) -> Result<String, &'static str> {
    let inner = |quote: char| value.strip_prefix(quote)?.strip_suffix(quote);
    if let Some(raw) = inner('\'') {
        return match raw.contains('\'') {
            true => Err("a single quote within single quotes"),
            false => Ok(raw.to_owned()),
        };
    }
    let Some(quoted) = inner('"') else {
        return match value.starts_with(['"', '\'']) {
            true => Err("its quote does not end the line"),
            false => Ok(value.to_owned()),
        };
    };
    let mut text = String::with_capacity(quoted.len());
    let mut letters = quoted.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '"' => return Err("a double quote within double quotes"),
            '\\' => match letters.next() {
                Some('n') => text.push('\n'),
                Some('t') => text.push('\t'),
                Some(escaped @ ('"' | '\\' | '$' | '`')) => text.push(escaped),
                Some(other) => text.extend(['\\', other]),
                None => return Err("its quote does not end the line"),
            },
            letter => text.push(letter),
        }
    }
    Ok(text)
}

#[cfg(test)]
mod tests;
