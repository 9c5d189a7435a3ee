//! Shell: reads the files of one log as they grow, rotate and vanish.
#![expect(clippy::disallowed_methods, reason = "shell: lists a folder")]

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use rustix::fs::{Mode, OFlags};

use super::line::{self, Told};
use super::name::{FILES_MAX, Names};
use super::position::{Found, HEAD_BYTES_MAX, Position};
use super::source::{Claim, Wiring};
use super::{Output, Sink, State};

/// How often it is looked for new lines.
pub const LOOK_EVERY: Duration = Duration::from_millis(500);
/// What one look reads: a backlog does not keep its thread from ending.
pub const LOOK_BYTES_MAX: usize = 8 << 20;
/// A longer line is skipped and counted. Records of failed deliveries are about 1 KiB.
pub const LINE_BYTES_MAX: usize = 64 << 10;
/// Names of a folder that are looked at.
pub const ENTRIES_MAX: usize = 10_000;
const CHUNK_BYTES: usize = 64 << 10;
/// Bytes without an event after which the position is told anyway: what a restart reads again at most.
const PASSED_BYTES: u64 = 4 << 20;

/// Follows one log until `stop` is sent to or its other end is dropped. Blocks: give it a thread of its own.
///
/// `position`: the last one kept, `None` at the very first time.
pub fn run(wiring: Wiring, position: Option<Position>, mut sink: impl FnMut(Output<'_>) -> Sink, stop: &Receiver<()>) {
    let Some(mut tail) = Tail::new(wiring, position) else {
        let trouble = Some("its path names no file".to_owned());
        sink(Output::State(&State {
            trouble,
            ..State::default()
        }));
        return;
    };
    loop {
        let wait = match tail.look(&mut sink) {
            Look::More => Duration::ZERO,
            Look::Done | Look::Held => LOOK_EVERY,
        };
        match stop.recv_timeout(wait) {
            Err(RecvTimeoutError::Timeout) => {}
            Ok(()) | Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

/// How a look ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// All that is there was read.
    Done,
    /// [`LOOK_BYTES_MAX`] were read, and there is more.
    More,
    /// The sink said [`Sink::Later`].
    Held,
}

/// One log between two looks.
#[derive(Debug)]
pub struct Tail {
    names: Names,
    claims: Vec<Claim>,
    /// `None`: never looked.
    position: Option<Position>,
    state: State,
    told: State,
    /// Bytes read since the position was last told.
    passed: u64,
}

impl Tail {
    /// `None`: the path names no file.
    pub fn new(wiring: Wiring, position: Option<Position>) -> Option<Tail> {
        let names = Names::of(&wiring.path)?;
        let mut claims = wiring.claims;
        // A gateway that was started through a symbolic link names its store by it, or by what it leads to.
        let real = claims.iter().filter_map(|claim| {
            let state_dir = fs::canonicalize(&claim.state_dir).ok()?;
            (state_dir != claim.state_dir).then(|| Claim {
                state_dir,
                ..claim.clone()
            })
        });
        let real: Vec<Claim> = real.collect();
        claims.extend(real);
        Some(Tail {
            names,
            claims,
            position,
            state: State::default(),
            told: State::default(),
            passed: 0,
        })
    }

    /// Reads what is new, oldest file first.
    pub fn look(&mut self, sink: &mut impl FnMut(Output<'_>) -> Sink) -> Look {
        self.state.trouble = None;
        let paths = match self.list() {
            Ok(paths) => paths,
            Err(error) => {
                self.state.trouble = Some(sentence(&self.names.folder, &error));
                self.tell_state(sink);
                return Look::Done;
            }
        };
        self.state.files = paths.len();
        let mut look = Look::Done;
        match self.position.take() {
            None => {
                let position = self.begin(&paths);
                sink(Output::Passed { position: &position });
                self.position = Some(position);
            }
            Some(mut position) => {
                look = self.read_all(&paths, &mut position, sink);
                if self.passed >= PASSED_BYTES {
                    self.passed = 0;
                    sink(Output::Passed { position: &position });
                }
                self.position = Some(position);
            }
        }
        self.tell_state(sink);
        look
    }

    /// Oldest first. A folder that is not there is empty, its gateway has not logged yet; so is one that somebody else
    /// keeps closed, since a gateway logs to a folder of its own user.
    fn list(&self) -> io::Result<Vec<PathBuf>> {
        let entries = match fs::read_dir(&self.names.folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied && self.is_elsewhere() => {
                return Ok(Vec::new());
            }
            other => other?,
        };
        let mut found = Vec::new();
        for entry in entries.take(ENTRIES_MAX) {
            let entry = entry?;
            if let Some(age) = entry.file_name().to_str().and_then(|name| self.names.age(name)) {
                found.push((age, entry.path()));
            }
        }
        found.sort();
        let beyond = found.len().saturating_sub(FILES_MAX);
        Ok(found.into_iter().skip(beyond).map(|(_, path)| path).collect())
    }

    fn is_elsewhere(&self) -> bool {
        let owner = fs::metadata(&self.names.folder).map(|folder| folder.uid());
        owner.is_ok_and(|owner| self.claims.iter().all(|claim| claim.owner != owner))
    }

    /// The end of everything that is there.
    fn begin(&mut self, paths: &[PathBuf]) -> Position {
        let mut position = Position::default();
        for path in paths {
            match Opened::at(path) {
                Ok(opened) => position.pass(opened.found()),
                Err(error) => {
                    self.state.trouble = Some(sentence(path, &error));
                    // It may be opened later, and is no news then either.
                    if let Ok(stat) = fs::symlink_metadata(path) {
                        position.pass(Found {
                            device: stat.dev(),
                            inode: stat.ino(),
                            size: stat.size(),
                            head: &[],
                        });
                    }
                }
            }
        }
        position
    }

    fn read_all(
        &mut self,
        paths: &[PathBuf],
        position: &mut Position,
        sink: &mut impl FnMut(Output<'_>) -> Sink,
    ) -> Look {
        let mut budget = LOOK_BYTES_MAX;
        for path in paths {
            let unread =
                fs::symlink_metadata(path).is_ok_and(|stat| !position.is_read(stat.dev(), stat.ino(), stat.size()));
            if !unread {
                continue;
            }
            let look = match Opened::at(path) {
                Ok(opened) => self.read(&opened, position, &mut budget, sink),
                // It was renamed or pruned since: the next look finds it, if it is anywhere.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => Err(error),
            };
            match look {
                Ok(Look::Done) => {}
                Ok(other) => return other,
                Err(error) => self.state.trouble = Some(sentence(path, &error)),
            }
        }
        Look::Done
    }

    /// Reads one file on.
    fn read(
        &mut self,
        opened: &Opened,
        position: &mut Position,
        budget: &mut usize,
        sink: &mut impl FnMut(Output<'_>) -> Sink,
    ) -> io::Result<Look> {
        let mut mark = position.resume(opened.found());
        let mut lines = Lines::default();
        loop {
            if *budget == 0 {
                return Ok(Look::More);
            }
            let read = lines.fill(&opened.file, mark.offset)?;
            if read == 0 {
                return Ok(Look::Done);
            }
            *budget = budget.saturating_sub(read);
            self.passed += u64::try_from(read).unwrap_or(u64::MAX);
            while let Some(text) = lines.next() {
                let before = mark;
                mark.offset += u64::try_from(text.len() + 1).unwrap_or(u64::MAX);
                mark.within_too_long = false;
                position.advance(mark);
                if before.within_too_long || text.len() > LINE_BYTES_MAX {
                    self.state.too_long += 1;
                } else if self.line(text, opened.owner, position, sink) == Sink::Later {
                    position.advance(before);
                    return Ok(Look::Held);
                }
            }
            lines.forget_read();
            if mark.within_too_long || lines.rest() > LINE_BYTES_MAX {
                mark.offset += u64::try_from(lines.rest()).unwrap_or(u64::MAX);
                mark.within_too_long = true;
                position.advance(mark);
                lines = Lines::default();
            }
        }
    }

    fn line(
        &mut self,
        text: &[u8],
        owner: u32,
        position: &Position,
        sink: &mut impl FnMut(Output<'_>) -> Sink,
    ) -> Sink {
        match line::read(text, owner, &self.claims) {
            Told::Nothing => Sink::Done,
            Told::Unclaimed => {
                self.state.unclaimed += 1;
                Sink::Done
            }
            Told::Failure { tenant, line } => {
                let (tenant, line) = (&tenant, line.as_str());
                let answer = sink(Output::Event { tenant, line, position });
                if answer == Sink::Done {
                    self.passed = 0;
                }
                answer
            }
        }
    }

    fn tell_state(&mut self, sink: &mut impl FnMut(Output<'_>) -> Sink) {
        if self.state != self.told {
            sink(Output::State(&self.state));
            self.told = self.state.clone();
        }
    }
}

/// A log's file, open for reading.
#[derive(Debug)]
struct Opened {
    file: File,
    device: u64,
    inode: u64,
    size: u64,
    owner: u32,
    head: Vec<u8>,
}

impl Opened {
    /// A plain file and nothing that leads elsewhere: the folder is below `/tmp`, where anybody may have been first.
    fn at(path: &Path) -> io::Result<Opened> {
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NOCTTY;
        let file = File::from(rustix::fs::open(path, flags, Mode::empty())?);
        let stat = file.metadata()?;
        if !stat.is_file() {
            return Err(io::Error::other("it is not a plain file"));
        }
        let mut head = vec![0; HEAD_BYTES_MAX];
        let read = file.read_at(&mut head, 0)?;
        head.truncate(read);
        Ok(Opened {
            file,
            device: stat.dev(),
            inode: stat.ino(),
            size: stat.size(),
            owner: stat.uid(),
            head,
        })
    }

    fn found(&self) -> Found<'_> {
        Found {
            device: self.device,
            inode: self.inode,
            size: self.size,
            head: &self.head,
        }
    }
}

/// Bytes of a file from its mark on, given out as lines.
#[derive(Debug, Default)]
struct Lines {
    bytes: Vec<u8>,
    /// Given out so far.
    read: usize,
}

impl Lines {
    /// Reads a chunk more; `start` is where in the file the first byte that was not given out stands. 0: the end.
    fn fill(&mut self, file: &File, start: u64) -> io::Result<usize> {
        let held = self.bytes.len();
        let at = start + u64::try_from(self.rest()).unwrap_or(u64::MAX);
        self.bytes.resize(held + CHUNK_BYTES, 0);
        let read = file.read_at(&mut self.bytes[held..], at);
        self.bytes.truncate(held + read.as_ref().map_or(0, |read| *read));
        read
    }

    /// The next whole line, without its newline.
    fn next(&mut self) -> Option<&[u8]> {
        let rest = self.bytes.get(self.read..)?;
        let end = memchr::memchr(b'\n', rest)?;
        self.read += end + 1;
        rest.get(..end)
    }

    fn rest(&self) -> usize {
        self.bytes.len() - self.read
    }

    fn forget_read(&mut self) {
        self.bytes.drain(..self.read);
        self.read = 0;
    }
}

fn sentence(path: &Path, error: &io::Error) -> String {
    format!("{} cannot be read: {error}", path.display())
}

#[cfg(test)]
mod tests;
