//! A terminal to sit at: a real pseudo-terminal, and what a person would see on it.
//!
//! `setsid --ctty` (util-linux) makes it the program's controlling terminal, so that Ctrl-C and a resize reach it as they do
//! at a desk.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::num::NonZeroU16;
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use super::{PATIENCE, pause};

/// Not to become the controlling terminal of whoever runs the specs.
const NOCTTY: i32 = 0o400;

/// A program at a terminal of its own.
pub struct Terminal {
    master: File,
    pub child: Child,
    seen: Arc<Mutex<Seen>>,
}

struct Seen {
    raw: Vec<u8>,
    drawn: vt100::Parser,
}

impl Terminal {
    /// Starts `command` at a terminal of `columns` by `rows`; of its streams, `on` stay with the terminal.
    pub fn sit_down(command: &Command, columns: u16, rows: u16) -> Terminal {
        Terminal::with_output(command, columns, rows, None)
    }

    /// The same with standard output elsewhere.
    pub fn with_output(command: &Command, columns: u16, rows: u16, output: Option<Stdio>) -> Terminal {
        let master: OwnedFd = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap();
        set_size(&master, columns, rows);
        let slave = || {
            let path = PathBuf::from(name.to_str().unwrap());
            let mut options = OpenOptions::new();
            options.read(true).write(true).custom_flags(NOCTTY).open(path).unwrap()
        };
        let mut at_terminal = Command::new("setsid");
        at_terminal
            .arg("--ctty")
            .arg(command.get_program())
            .args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => at_terminal.env(name, value),
                None => at_terminal.env_remove(name),
            };
        }
        // What the environment of the specs says of colour is not what they are about.
        for name in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE"] {
            let is_said = command.get_envs().any(|(said, value)| said == name && value.is_some());
            if !is_said {
                at_terminal.env_remove(name);
            }
        }
        if !command.get_envs().any(|(name, _)| name == "TERM") {
            at_terminal.env("TERM", "xterm-256color");
        }
        if let Some(directory) = command.get_current_dir() {
            at_terminal.current_dir(directory);
        }
        let child = at_terminal
            .stdin(slave())
            .stdout(output.unwrap_or_else(|| slave().into()))
            .stderr(slave())
            .spawn()
            .unwrap();
        let seen = Arc::new(Mutex::new(Seen {
            raw: Vec::new(),
            drawn: vt100::Parser::new(size(rows), size(columns), 0),
        }));
        let master = File::from(master);
        let (mut reader, shared) = (master.try_clone().unwrap(), Arc::clone(&seen));
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            // Ends with an error when nobody has the other side open.
            while let Ok(count @ 1..) = reader.read(&mut buffer) {
                let mut seen = shared.lock().unwrap();
                seen.raw.extend_from_slice(&buffer[..count]);
                seen.drawn.process(&buffer[..count]);
            }
        });
        Terminal { master, child, seen }
    }

    /// Waits until what is on the screen is so.
    pub fn until(&self, holds: impl Fn(&vt100::Screen) -> bool) {
        let began = Instant::now();
        while !holds(self.seen.lock().unwrap().drawn.screen()) {
            assert!(began.elapsed() < PATIENCE, "the screen still shows:\n{}", self.screen());
            pause();
        }
    }

    pub fn until_it_shows(&self, text: &str) {
        self.until(|screen| screen.contents().contains(text));
    }

    pub fn screen(&self) -> String {
        self.seen.lock().unwrap().drawn.screen().contents()
    }

    /// Everything that was ever written to it.
    pub fn raw(&self) -> String {
        String::from_utf8_lossy(&self.seen.lock().unwrap().raw).into_owned()
    }

    pub fn press(&mut self, keys: &str) {
        self.master.write_all(keys.as_bytes()).unwrap();
    }

    pub fn resize(&self, columns: u16, rows: u16) {
        self.seen.lock().unwrap().drawn.set_size(size(rows), size(columns));
        set_size(&self.master, columns, rows);
    }

    /// Waits until it has ended, and until all that it wrote is on the screen.
    pub fn ended(&mut self) -> ExitStatus {
        let began = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(began.elapsed() < PATIENCE, "it does not end:\n{}", self.screen());
            pause();
        };
        // The reader lets go of its share when the other side is closed.
        while Arc::strong_count(&self.seen) > 1 {
            assert!(began.elapsed() < PATIENCE, "somebody still holds the terminal");
            pause();
        }
        status
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What was written, without colours, a line each.
pub fn plain(raw: &str) -> String {
    let mut plain = String::new();
    let mut rest = raw.chars();
    while let Some(character) = rest.next() {
        match character {
            '\u{1b}' => drop(rest.find(char::is_ascii_alphabetic)),
            '\r' => {}
            other => plain.push(other),
        }
    }
    plain
}

fn size(count: u16) -> NonZeroU16 {
    NonZeroU16::new(count).unwrap()
}

fn set_size(master: impl std::os::fd::AsFd, columns: u16, rows: u16) {
    let size = Winsize {
        ws_row: rows,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    tcsetwinsize(master, size).unwrap();
}
