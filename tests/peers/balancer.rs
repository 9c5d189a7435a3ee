//! Load balancers with the configurations that ship: hosts to put behind one, and who answers through it.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::Instant;

use crate::harness::backend::{Backend, answers};
use crate::harness::{Node, PATIENCE, free_port, pause, peer, repository};

pub fn shipped(path: &str) -> String {
    fs::read_to_string(repository().join("deploy").join(path)).unwrap()
}

/// `text` with each of the pairs replaced, all of which must be there.
pub fn with(text: &str, pairs: &[(&str, String)]) -> String {
    pairs.iter().fold(text.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "{from} is not there");
        text.replace(from, to)
    })
}

pub fn assert_well(output: &Output) {
    let said = [&output.stdout[..], &output.stderr[..]].concat();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&said));
}

pub fn python_tool(name: &str) -> Option<PathBuf> {
    let place = repository().join("target/tools/python/bin").join(name);
    peer(name, &[place.to_str()?])
}

/// A host: readyd, and what it stands for.
pub struct Host {
    pub node: Node,
    pub backend: Backend,
    pub agent: u16,
}

impl Host {
    pub fn new(word: &'static str) -> Host {
        let agent = free_port();
        let node = Node::start(&format!(
            "agent_check: 127.0.0.1:{agent}\ntenants: {{acme: {{}}}}\nprobes: {{doctor: {{enabled: false}}}}\n"
        ));
        node.until_status("ok", PATIENCE);
        Host {
            node,
            backend: Backend::saying(word),
            agent,
        }
    }

    pub fn degrade(&self) {
        self.node.fails(30);
        self.node.until_status("degraded", PATIENCE);
    }
}

/// A load balancer, ended with the spec.
pub struct Balancer {
    child: Child,
    port: u16,
    log: PathBuf,
    _dir: tempfile::TempDir,
}

impl Balancer {
    pub fn start(mut command: Command, port: u16, dir: tempfile::TempDir) -> Balancer {
        let log = dir.path().join("said");
        let file = fs::File::create(&log).unwrap();
        let child = command
            .stdin(Stdio::null())
            .stdout(file.try_clone().unwrap())
            .stderr(file)
            .spawn()
            .unwrap();
        Balancer {
            child,
            port,
            log,
            _dir: dir,
        }
    }

    /// Until twelve requests in a row are answered so: by whom, and how often.
    pub fn until(&self, what: &str, holds: impl Fn(usize, usize) -> bool) {
        let began = Instant::now();
        loop {
            let seen = answers(self.port, 12);
            let of = |who: &str| seen.get(who).copied().unwrap_or(0);
            if of("one") + of("two") == 12 && holds(of("one"), of("two")) {
                println!("{what}: after {:?}", began.elapsed());
                return;
            }
            let said = || fs::read_to_string(&self.log).unwrap_or_default();
            assert!(began.elapsed() < PATIENCE, "{what}: {seen:?}\n{}", said());
            pause();
        }
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
