//! Shell: what the daemon says of itself: on stderr, for a supervisor's journal, or in a file where there is no journal (launchd).
//!
//! Who rotates logs renames the file and tells us nothing: before each line we look whether the file of that name is still ours.
//! So no signal and no file with our number are needed, and no line is lost as with a copy that is then truncated.
#![expect(clippy::disallowed_methods, reason = "shell: reads $READYD_LOG, opens the log file")]

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context as _;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::writer::BoxMakeWriter;

/// `$READYD_LOG` sets the level (`debug`, `readyd::probe=debug,info`); default `info`. Once a process.
///
/// # Errors
/// The file cannot be opened.
pub(super) fn start(file: Option<&Path>) -> anyhow::Result<()> {
    let filter = std::env::var("READYD_LOG")
        .ok()
        .and_then(|directives| EnvFilter::try_new(directives).ok())
        .unwrap_or_else(|| EnvFilter::new("info,actix_server=warn"));
    let (writer, is_terminal) = match file {
        Some(path) => {
            let log = LogFile::open(path).with_context(|| format!("the log file {}", path.display()))?;
            (BoxMakeWriter::new(Arc::new(log)), false)
        }
        None => (
            BoxMakeWriter::new(io::stderr),
            io::IsTerminal::is_terminal(&io::stderr()),
        ),
    };
    // A second call (in a test) finds the first one's in place, which is as good.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(writer)
        .with_target(false)
        // Its way to say that stderr is gone is to write to stderr, which panics.
        .log_internal_errors(false)
        .with_ansi(is_terminal)
        .try_init();
    Ok(())
}

/// A file that may be renamed or removed while it is written to.
struct LogFile {
    path: PathBuf,
    open: Mutex<fs::File>,
}

impl LogFile {
    fn open(path: &Path) -> io::Result<LogFile> {
        Ok(LogFile {
            path: path.to_owned(),
            open: Mutex::new(append_to(path)?),
        })
    }
}

fn append_to(path: &Path) -> io::Result<fs::File> {
    fs::OpenOptions::new().create(true).append(true).mode(0o640).open(path)
}

/// Each call is one whole line.
impl Write for &LogFile {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut file = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let identity = |metadata: fs::Metadata| (metadata.dev(), metadata.ino());
        let ours = file.metadata().map(identity)?;
        if fs::metadata(&self.path).map(identity).ok() != Some(ours) {
            // Where it cannot be made anew, the renamed one is better than nothing.
            if let Ok(anew) = append_to(&self.path) {
                *file = anew;
            }
        }
        file.write_all(line)?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(path: &Path) -> String {
        fs::read_to_string(path).unwrap()
    }

    #[test]
    fn lines_follow_the_name_when_the_file_is_renamed_or_removed() {
        let dir = tempfile::tempdir().unwrap();
        let (path, old) = (dir.path().join("log"), dir.path().join("log.0"));
        let log = LogFile::open(&path).unwrap();
        (&log).write_all(b"one\n").unwrap();
        fs::rename(&path, &old).unwrap();
        (&log).write_all(b"two\n").unwrap();
        assert_eq!((said(&old), said(&path)), ("one\n".to_owned(), "two\n".to_owned()));
        // As newsyslog does, which makes the new file itself.
        fs::rename(&path, &old).unwrap();
        fs::write(&path, "begun\n").unwrap();
        (&log).write_all(b"three\n").unwrap();
        assert_eq!(
            (said(&old), said(&path)),
            ("two\n".to_owned(), "begun\nthree\n".to_owned())
        );
        fs::remove_file(&path).unwrap();
        (&log).write_all(b"four\n").unwrap();
        assert_eq!(said(&path), "four\n");
    }

    #[test]
    fn where_the_file_cannot_be_made_anew_the_old_one_goes_on() {
        let dir = tempfile::tempdir().unwrap();
        let (path, old) = (dir.path().join("log"), dir.path().join("log.0"));
        let log = LogFile::open(&path).unwrap();
        fs::rename(&path, &old).unwrap();
        fs::create_dir(&path).unwrap();
        (&log).write_all(b"one\n").unwrap();
        assert_eq!(said(&old), "one\n");
        assert!(LogFile::open(&path).is_err());
    }
}
