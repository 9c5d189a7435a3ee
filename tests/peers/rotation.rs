//! A real logrotate, with the configuration that ships, turns the log of a readyd that runs.

use std::fs;
use std::process::Command;

use crate::balancer::{assert_well, shipped, with};
use crate::harness::{Node, PATIENCE, peer};

/// So many lines, and a rotation after every tenth.
const LINES: usize = 40;

fn nobody(line: usize) -> String {
    format!("nobody-{line:03}")
}

fn id(what: &str) -> String {
    let output = Command::new("id").arg(what).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[test]
fn logrotate_turns_the_log_of_a_readyd_that_runs_and_no_line_is_lost() {
    let Some(logrotate) = peer("logrotate", &["/usr/sbin/logrotate"]) else {
        return;
    };
    let logs = tempfile::tempdir().unwrap();
    let log = logs.path().join("readyd.log");
    let mut node = Node::prepared("tenants: {acme: {}}\nprobes: {doctor: {enabled: false}}\n");
    let serve = format!("exec \"$@\" --log-file {}", log.display());
    node.spawn_through(&["sh", "-c", &serve, "sh"]);
    node.until_status("ok", PATIENCE);
    assert_eq!(node.log(), "", "all of it is in the file");

    let config = node.dir.path().join("logrotate");
    let text = with(
        &shipped("logrotate/readyd"),
        &[
            ("/var/log/readyd/readyd.log", log.display().to_string()),
            (
                "create 0640 readyd readyd",
                format!("create 0640 {} {}", id("-un"), id("-gn")),
            ),
        ],
    );
    fs::write(&config, text).unwrap();
    for line in 0..LINES {
        // A refusal is logged with the name that was given.
        let refused = node.control("DELETE", &format!("/v1/drain?tenant={}", nobody(line)), "");
        assert_eq!(refused.status, 404, "{refused:?}");
        if line % 10 == 9 {
            let mut rotate = Command::new(&logrotate);
            rotate
                .arg("--force")
                .arg("--state")
                .arg(node.dir.path().join("rotated"));
            assert_well(&rotate.arg(&config).output().unwrap());
        }
    }
    node.stop();

    let mut names: Vec<String> = fs::read_dir(logs.path())
        .unwrap()
        .flatten()
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    names.sort();
    let expected = [
        "readyd.log",
        "readyd.log.1",
        "readyd.log.2.gz",
        "readyd.log.3.gz",
        "readyd.log.4.gz",
    ];
    assert_eq!(names, expected);
    let all = Command::new("zcat")
        .arg("-f")
        .args(names.iter().map(|name| logs.path().join(name)))
        .output();
    let all = String::from_utf8(all.unwrap().stdout).unwrap();
    let lost: Vec<usize> = (0..LINES).filter(|line| !all.contains(&nobody(*line))).collect();
    assert_eq!(lost, Vec::<usize>::new());
    assert!(
        fs::read_to_string(&log).unwrap().contains("stopped"),
        "the last line is in the newest"
    );
}
