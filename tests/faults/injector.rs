//! `inject.c` from this side: which calls of a node fail, and how.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use crate::harness::{Node, repository};

/// Words of 64 bits in the control file; the order is that of `inject.c`.
const WORDS: usize = 8;
const COUNTED: usize = 5;
const FAILED: usize = 6;
/// Uses of a descriptor after a sync of it had failed.
const AGAIN: usize = 7;

/// Kinds of calls, added up.
pub const WRITES: u64 = 1;
pub const SYNCS: u64 = 2;
/// Renames and removals.
pub const RENAMES: u64 = 4;
/// Of files that are opened to be written.
pub const OPENS: u64 = 8;
pub const TRUNCATES: u64 = 16;
pub const ALL_CALLS: u64 = 31;

/// The database itself: in the middle of a checkpoint alone it is written.
pub const MAIN_FILE: u64 = 1;
pub const ALL_FILES: u64 = 15;

pub const EINTR: u64 = 4;
pub const EIO: u64 = 5;
pub const ENOSPC: u64 = 28;
/// SIGKILL, before the call.
pub const DIE: u64 = 1000;
/// Half of what was to be written.
pub const SHORT: u64 = 1001;

/// A fault to come.
#[derive(Clone, Copy, Debug)]
pub struct Armed {
    pub calls: u64,
    pub files: u64,
    /// What the call says.
    pub what: u64,
    /// The first call that fails, from 1; 0: none, they are counted.
    pub from: u64,
    /// So many calls fail.
    pub times: u64,
}

/// Shared with one node.
#[derive(Debug)]
pub struct Injector {
    control: File,
}

impl Injector {
    /// Puts itself between the node and its C library, from its next start on.
    pub fn beside(node: Node) -> (Node, Injector) {
        let path = node.dir.path().join("control");
        let control = File::options()
            .read(true)
            .write(true)
            .create_new(true)
            .open(&path)
            .unwrap();
        control.write_all_at(&[0; WORDS * 8], 0).unwrap();
        let library = library().as_ref().unwrap();
        let state_dir = node.state_dir();
        let node = node
            .with_env("LD_PRELOAD", library.to_str().unwrap())
            .with_env("INJECT_BELOW", state_dir.to_str().unwrap())
            .with_env("INJECT_CONTROL", path.to_str().unwrap());
        (node, Injector { control })
    }

    /// Counts from 0 again.
    pub fn arm(&self, fault: Armed) {
        let words = [fault.calls, fault.files, fault.what, fault.from, fault.times, 0, 0];
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
        self.control.write_all_at(&bytes, 0).unwrap();
    }

    /// Nothing fails any more; what was counted stays.
    pub fn disarm(&self) {
        self.control.write_all_at(&[0; 5 * 8], 0).unwrap();
    }

    pub fn counted(&self) -> u64 {
        self.word(COUNTED)
    }

    pub fn failed(&self) -> u64 {
        self.word(FAILED)
    }

    pub fn again(&self) -> u64 {
        self.word(AGAIN)
    }

    fn word(&self, place: usize) -> u64 {
        let mut bytes = [0; 8];
        self.control.read_exact_at(&mut bytes, place as u64 * 8).unwrap();
        u64::from_ne_bytes(bytes)
    }
}

/// `inject.c`, built by `cc` (which the bundled SQLite needs anyway); why not, where that cannot be.
pub fn library() -> &'static Result<PathBuf, String> {
    static LIBRARY: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        if !cfg!(target_os = "linux") {
            return Err("calls are failed by LD_PRELOAD, as Linux has it".into());
        }
        let library = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("inject.so");
        // Under a name of its own first: another run may be using it.
        let made = library.with_extension(format!("{}", std::process::id()));
        let source = repository().join("tests/faults/inject.c");
        let built = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o"])
            .args([&made, &source])
            .arg("-ldl")
            .output();
        match built {
            Ok(output) if output.status.success() => {
                std::fs::rename(&made, &library).unwrap();
                Ok(library)
            }
            Ok(output) => panic!("inject.c: {}", String::from_utf8_lossy(&output.stderr)),
            Err(error) => Err(format!("cc cannot be run: {error}")),
        }
    })
}
