//! `events.sock` as specs: a real socket, a real store, and producers of every kind.
#![expect(clippy::disallowed_methods, reason = "shell: specs of a shell, on real sockets")]

mod hostile;
mod kill;
mod local;
mod protocol;
mod standing;
mod waiting;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

use tempfile::TempDir;

use super::socket::EventsSocket;
use crate::store::tests::{House, PATIENCE, left_out};
use crate::unix_socket::Access;

/// A store and its socket.
struct Place {
    dir: TempDir,
    house: House,
    socket: Option<EventsSocket>,
}

impl Place {
    fn new() -> Place {
        Place::at(TempDir::new().unwrap())
    }

    fn at(dir: TempDir) -> Place {
        let house = House::new(&dir.path().join("state"));
        let path = dir.path().join("run/events.sock");
        let socket = EventsSocket::start(&path, &access(), house.hub.clone()).unwrap();
        Place {
            dir,
            house,
            socket: Some(socket),
        }
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("run/events.sock")
    }

    fn state(&self) -> PathBuf {
        self.dir.path().join("state")
    }

    fn connect(&self) -> Client {
        Client::new(UnixStream::connect(self.path()).unwrap())
    }

    /// Ends in order, and leaves the files.
    fn stop(mut self) -> TempDir {
        assert!(self.socket.take().unwrap().stop(PATIENCE));
        self.house.stop();
        self.dir
    }

    fn restart(self) -> Place {
        Place::at(self.stop())
    }

    /// Endpoint → events on disk; stops the place.
    fn counts(self) -> std::collections::BTreeMap<String, u64> {
        let dir = self.stop();
        crate::store::tests::on_disk(&dir.path().join("state"))
    }
}

fn access() -> Access {
    Access {
        mode: 0o660,
        group: None,
    }
}

/// A producer that waits for what it is told.
struct Client(BufReader<UnixStream>);

impl Drop for Client {
    /// Ends the connection itself: a child that another spec starts at this moment has a copy of the descriptor until
    /// it has become its program.
    fn drop(&mut self) {
        let _ = self.stream().shutdown(Shutdown::Both);
    }
}

impl Client {
    fn new(stream: UnixStream) -> Client {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        Client(BufReader::new(stream))
    }

    fn stream(&self) -> &UnixStream {
        self.0.get_ref()
    }

    fn send(&mut self, text: &str) -> &mut Client {
        self.0.get_mut().write_all(text.as_bytes()).unwrap();
        self
    }

    /// One line, without its newline; empty at the end.
    fn line(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    /// Up to the acknowledgement of `seq`.
    fn until_ack(&mut self, seq: u64) {
        let wanted = format!("{{\"ack\":{seq}}}");
        for _ in 0..100_000 {
            let line = self.line();
            if line == wanted {
                return;
            }
            assert!(line.starts_with("{\"ack\":"), "{line}");
        }
        panic!("{wanted} never came");
    }

    /// Says that nothing more comes, and hears the rest. Of the acknowledgements only the last is shown: how
    /// many there are depends on how commits fell.
    fn rest(&mut self) -> String {
        self.stream().shutdown(Shutdown::Write).unwrap();
        let mut rest = String::new();
        self.0.read_to_string(&mut rest).unwrap();
        let last = rest
            .lines()
            .rfind(|line| line.starts_with("{\"ack\""))
            .map(str::to_owned);
        let mut shown: Vec<&str> = rest.lines().filter(|line| !line.starts_with("{\"ack\"")).collect();
        shown.extend(last.as_deref());
        shown.join("\n")
    }

    fn is_silent(&mut self) -> bool {
        self.stream()
            .set_read_timeout(Some(Duration::from_millis(300)))
            .unwrap();
        let silent = self.0.fill_buf().is_err();
        self.stream().set_read_timeout(Some(PATIENCE)).unwrap();
        silent
    }
}

fn event(seq: u64, endpoint: &str) -> String {
    format!("{{\"tenant\":\"acme\",\"endpoint\":\"{endpoint}\",\"status\":503,\"seq\":{seq}}}\n")
}

fn plain(endpoint: &str) -> String {
    format!("{{\"tenant\":\"acme\",\"endpoint\":\"{endpoint}\",\"status\":503}}\n")
}

fn hello(producer: &str) -> String {
    format!("{{\"hello\":{{\"producer\":\"{producer}\"}}}}\n")
}
