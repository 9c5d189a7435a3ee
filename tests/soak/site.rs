//! The node of a soak: tenants whose answers are known, probes that misbehave, and a disk that can be filled.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use crate::harness::gateway::{Gateway, Script};
use crate::harness::{Node, PATIENCE, left_out};
use crate::load::{PRODUCERS, TENANTS};

/// Of the disk that the state lies on.
const DISK: &str = "size=256m,mode=700";

/// Of one tenant it is always critical.
const KNOWN: &str = r#"[ "$1" != broken ] || { echo CRITICAL; exit 2; }; echo OK"#;
/// Hangs, leaves children behind, or says far too much, as the file says that it is given.
const MOODY: &str = r#"case "$(cat "$1" 2>/dev/null)" in hang) sleep 600;; fork) sleep 601 & sleep 602 & echo OK;; spew) yes | head -c 4000000;; *) echo OK;; esac"#;

#[derive(Debug)]
pub struct Site {
    pub node: Node,
    gateway: Gateway,
    /// The state lies on a small disk of its own; without root it lies where it lies, and nothing fills it.
    pub has_own_disk: bool,
}

/// What producers were told, and what was counted, after the last kill.
#[derive(Debug)]
pub struct Counted {
    /// By producer: what readyd remembers.
    pub last_seqs: Vec<u64>,
    /// In all windows.
    pub failures: u64,
}

impl Site {
    pub fn new() -> Site {
        let gateway = Gateway::start(Script::recorded());
        let node = Node::prepared("");
        fs::create_dir(node.state_dir()).unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", DISK, "tmpfs"]).arg(node.state_dir());
        let has_own_disk = mount.output().is_ok_and(|output| output.status.success());
        if !has_own_disk {
            left_out("a disk to fill: mounting a tmpfs needs root");
        }
        let mut site = Site {
            node,
            gateway,
            has_own_disk,
        };
        site.write_probes();
        site.configure(0);
        site.node.spawn();
        site.node.wait_until_it_answers();
        site.node.until("/v1/status", PATIENCE, |answer| {
            let status = answer.json();
            site_is_known(&status)
        });
        site
    }

    /// Writes the configuration with so many further tenants.
    pub fn configure(&self, further: usize) {
        let token = self.node.dir.path().join("token");
        fs::write(&token, "token-of-the-soak").unwrap();
        fs::set_permissions(&token, fs::Permissions::from_mode(0o600)).unwrap();
        let (port, token) = (self.gateway.port, token.display());
        let mut tenants =
            format!("tenants:\n  quiet: {{}}\n  broken: {{}}\n  linked: {{port: {port}, token_file: {token}}}\n");
        for index in 0..TENANTS {
            tenants.push_str(&format!("  t{index}: {{}}\n"));
        }
        for index in 0..further {
            tenants.push_str(&format!("  further{index}: {{}}\n"));
        }
        // What is far too slow or too heavy for a disk that is made to be full, or asks for an OpenClaw, is not asked.
        self.node.configure(&format!(
            "{tenants}probes:\n  doctor: {{enabled: false}}\n  disk: {{warn_free: 1MiB, down_free: 256KiB, every: 2s}}\n  write: {{every: 2s}}\n"
        ));
    }

    /// Where a file may be laid that makes the moody probe misbehave: `hang`, `spew`, `fork`.
    pub fn mood(&self) -> PathBuf {
        self.node.dir.path().join("mood")
    }

    fn write_probes(&self) {
        let put = |name: &str, scope: &str, worst: &str, script: &str| {
            let path = self.node.dir.path().join("probes.d").join(format!("{name}.yaml"));
            let text = format!(
                "name: {name}\ntitle: {name}\nlayer: host\nscope: {scope}\nkind: exec\nlane: light\nparse: nagios\n\
                 every: 2s\ntimeout: 3s\nworst: {worst}\nhint: \"Run: true\"\n\
                 command:\n- sh\n- -c\n- |-\n    {script}\n- sh\n- \"{argument}\"\n",
                argument = if scope == "tenant" {
                    "{tenant}".into()
                } else {
                    self.mood().display().to_string()
                }
            );
            fs::write(path, text).unwrap();
        };
        put("known", "tenant", "down", KNOWN);
        put("moody", "node", "degraded", MOODY);
    }

    /// Kills it, starts it again, and asks what is remembered.
    pub fn counted_after_a_kill(&mut self) -> Counted {
        self.node.kill();
        self.node.spawn();
        self.node.wait_until_it_answers();
        let last_seqs = (0..PRODUCERS).map(|number| self.last_seq(number)).collect();
        Counted {
            last_seqs,
            failures: self.failures_of_all_windows(),
        }
    }

    fn last_seq(&self, number: usize) -> u64 {
        let stream = self.node.events();
        let mut writer = stream.try_clone().unwrap();
        writeln!(writer, r#"{{"hello":{{"producer":"soak-{number}","epoch":"e1"}}}}"#).unwrap();
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line).unwrap();
        let hello: Value = serde_json::from_str(&line).unwrap();
        hello["hello"]["last_seq"].as_u64().unwrap()
    }

    /// The open window included.
    fn failures_of_all_windows(&self) -> u64 {
        let answer = self.node.get("/v1/webhook-digest?limit=1").json();
        let now = chrono::DateTime::parse_from_rfc3339(answer["generated_at"].as_str().unwrap()).unwrap();
        let end = now.timestamp().div_euclid(300) * 300;
        let windows = (0..48).map(|step| chrono::DateTime::from_timestamp(end - 300 * step, 0).unwrap());
        // Those of the producers: what the gateway says over its link is counted beside them.
        let questions = windows.flat_map(|start| {
            let start = start.format("%Y-%m-%dT%H:%M:%SZ").to_string();
            (0..TENANTS).map(move |tenant| format!("/v1/webhook-digest?window={start}&tenant=t{tenant}&limit=1"))
        });
        let totals = questions.filter_map(|question| {
            let answer = self.node.get(&question);
            (answer.status == 200).then(|| answer.json()["totals"]["failures"].as_u64().unwrap())
        });
        totals.sum()
    }
}

fn site_is_known(status: &Value) -> bool {
    status["tenants"]["quiet"] == "ok" && status["tenants"]["broken"] == "down"
}

impl Drop for Site {
    fn drop(&mut self) {
        if self.has_own_disk {
            // Lazily: readyd may still hold it.
            let _ = Command::new("umount").arg("-l").arg(self.node.state_dir()).status();
        }
    }
}
